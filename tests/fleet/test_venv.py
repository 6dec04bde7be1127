"""Virtual environments belong neither to root nor to the service user: links planted by DAG code damage nothing else.

DAG authors run code as the service user. It plants links wherever it can, and a watcher continues to do so while
root creates and fills an environment, with one small package instead of Airflow's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from shlex import quote

import pytest

from aerodrome.components.inputs import Inputs
from aerodrome.components.node import node
from aerodrome.core.plan import HostPlan, PlannedChange, apply_script, plan_host, probe_script, read_probe
from aerodrome.core.step import Step
from aerodrome.errors import HostError
from benchmarks.wanted import inputs_of
from lab.fleet import Lab
from tests.fleet.conftest import Fleet
from tests.real import PROJECT

HOST = "worker3"
STEPS = ("node.user", "node.venv", "node.install")
# Installed instead of Airflow, so that fifty installs take a minute.
LOCK = (PROJECT / "locks" / "airflow-3.3.2-py3.11.txt").read_text()
SIX = "".join(re.findall(r"^six==.*\n(?:    .*\n)+", LOCK, re.MULTILINE))
ATTEMPTS = 50

# None of this belongs to the service user, and none of it may change.
VICTIM = (
    "rm -rf /srv/victim; mkdir -m 700 /srv/victim; echo precious >/srv/victim/file; chmod 600 /srv/victim/file; "
    "chown -R root:root /srv/victim"
)
STATE = (
    "cat /srv/victim/file; find /srv/victim /etc /usr/local /root -xdev "
    r"\( -path '/etc/*-' -o -path /usr/local/airflow/logs \) -prune -o -printf '%p %y %l %s %m %u:%g %T@\n' | sort"
)

# Replace whatever it can, below the service user's home and the environments, by links to root's files.
WATCHER = """\
import os, sys
HOME, PLACE = "/home/astro", "/opt/aerodrome"
FILES = ["requirements.txt", "constraints.txt", "build.txt", "uv.toml", ".complete", "venv", "venv.new", "venvs"]

def plant(target, path):
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rename(path, "%s.%d" % (path, os.times().elapsed * 1e6))
        os.symlink(target, path + ".planted")
        os.rename(path + ".planted", path)
    except OSError:
        return
    if path.startswith((PLACE, "/var/cache/aerodrome")):
        open("/tmp/planted-in-ours", "a").write(path + "\\n")

while True:
    plant("/srv/victim", HOME + "/airflow-venvs")
    for name in ("airflow-venv", "airflow-venv.new"):
        plant("/srv/victim/file", HOME + "/" + name)
    for top in (PLACE, "/var/cache/aerodrome"):
        for folder, folders, _ in os.walk(top):
            folders[:] = [name for name in folders if name not in ("site-packages", "lib", "_vendor")]
            for name in FILES + folders:
                plant("/srv/victim/file", folder + "/" + name)
"""


@dataclass
class Node:
    """A bare host, and the files that a node gets for its virtual environment."""

    lab: Lab
    inputs: Inputs
    before: str = ""  # root's files before a test

    def sh(self, command: str) -> str:
        done = self.lab.run(HOST, command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def astro(self, command: str) -> str:
        """Run shell as the service user, like DAG code."""
        return self.sh(f"runuser -u astro -- sh -c {quote(command)}")

    @property
    def steps(self) -> list[Step]:
        wanted = node(self.inputs, self.inputs.fleet.hosts[HOST])
        return [step for step in wanted if step.name in STEPS]

    def plan(self, steps: list[Step]) -> HostPlan:
        """Ask the host; HostError if it is refused."""
        answers = read_probe(self.sh(probe_script(steps, "nonce")), steps, "nonce")
        return plan_host(HOST, steps, answers)

    def apply(self, changes: Sequence[PlannedChange]) -> None:
        self.sh(apply_script(changes, [], "nonce").script)

    def converge(self) -> None:
        """Ask and apply, until there is nothing more to do."""
        steps = self.steps
        for _ in range(3):
            if not (plan := self.plan(steps)).changes:
                return
            self.apply(plan.changes)
        assert self.plan(steps).changes == ()

    def assert_unchanged(self) -> None:
        """Assert that root's files have kept owner, mode, content and time."""
        changed = set(self.before.splitlines()) ^ set(self.sh(STATE).splitlines())
        assert not changed, sorted(changed)

    def forgetting(self, link: bool = True) -> str:
        """Return sh that leaves the environment as an interrupted install would."""
        venv = self.inputs.venv
        return f"rm -f $(readlink -f {venv})/.complete $(readlink -f {venv}).complete{f' {venv}' if link else ''}"

    def forget(self, link: bool = True) -> None:
        self.sh(self.forgetting(link))


@pytest.fixture(scope="module")
def made(bare: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """A host with a first environment, created without an attacker."""
    lab = bare.lab
    lab.up_host(HOST)
    lab.wipe_host(HOST)
    path = tmp_path_factory.mktemp("venv") / "hosts.yaml"
    roles = f"{{database: [{HOST}], scheduler: [{HOST}], webserver: [{HOST}]}}"
    path.write_text(
        f"hosts: {{{HOST}: {{address: {lab.address(HOST)}}}}}\nroles: {roles}\nairflow: {{executor: LocalExecutor}}\n"
    )
    found = Node(lab, replace(inputs_of(path), locks={"3.11": SIX}))
    install = "apt-get -qq -y install --no-install-recommends python3-venv"  # everything that six needs
    found.sh(f"{{ {install} || {{ apt-get -qq update && {install}; }}; }} >/dev/null 2>&1")
    found.converge()
    # Without pip.conf pip need not be asked for its index each time; uv.toml has it too.
    found.sh("rm -f /tmp/planted-in-ours /etc/pip.conf")
    return found


@pytest.fixture
def host(made: Node) -> Iterator[Node]:
    """The host; whatever a test planted is removed."""
    made.sh(VICTIM)
    made.before = made.sh(STATE)
    yield made
    made.astro("cd; for name in airflow-venv airflow-venvs; do rm -rf $name; done")


def test_a_link_where_environments_were_made_gives_nothing_away(host: Node) -> None:
    host.astro("cd; [ ! -e airflow-venvs ] || mv airflow-venvs aside; ln -s /srv/victim airflow-venvs")
    host.forget()
    host.converge()
    host.assert_unchanged()


def test_links_in_the_environment_are_not_written_through(host: Node) -> None:
    files = "requirements.txt constraints.txt build.txt uv.toml .complete"
    host.forget(link=False)
    host.astro(
        f"cd {host.inputs.venv}/ && for name in {files}; do ln -sfn /srv/victim/file $name; done 2>/dev/null || :"
    )
    host.astro("cd; for uv in airflow-venvs/.uv-*; do rm -rf $uv; ln -sfn /srv/victim/file $uv; done 2>/dev/null || :")
    host.converge()
    host.assert_unchanged()


def test_a_watcher_that_replaces_all_it_can_wins_nothing(host: Node) -> None:
    host.sh(f"systemd-run -q --unit=watcher -p User=astro python3 -I -c {quote(WATCHER)}")
    try:
        steps = [step for step in host.steps if step.name in ("node.venv", "node.install")]
        host.forget()
        changes = host.plan(steps).changes
        assert changes
        script = apply_script(changes, [], "nonce").script
        # In one exec, because reaching the host takes most of the time.
        host.sh(f"for attempt in $(seq {ATTEMPTS}); do {host.forgetting()}\n(\n{script}) >/dev/null || exit; done")
        host.converge()
        assert host.sh("readlink /home/astro/airflow-venvs; systemctl is-active watcher") == "/srv/victim\nactive\n"
    finally:
        host.sh("systemctl stop watcher")
    assert host.sh("cat /tmp/planted-in-ours 2>/dev/null || :") == ""
    host.assert_unchanged()


def test_dag_code_runs_the_environment_and_writes_nothing_of_it(host: Node) -> None:
    venv = host.inputs.venv
    places = f"$(dirname {venv}) {venv}/ $(readlink -f {venv}) /var/cache/aerodrome"
    assert host.astro(f"find {places} ! -readable -prune -o -writable ! -type l -print") == ""
    assert host.astro(f"{venv}/bin/python -c 'import six; print(six.__version__)'") == "1.17.0\n"
    owners = host.sh(f"stat -c %U $(dirname {venv}) $(readlink -f {venv}) $(readlink -f {venv}).complete")
    assert owners.split() == ["root", "aerodrome", "root"]


def test_what_nobody_can_write_is_compiled_beforehand(host: Node) -> None:
    program = (
        "import pathlib, sysconfig; from importlib.util import cache_from_source as compiled; "
        "found = list(pathlib.Path(sysconfig.get_path('purelib')).rglob('*.py')); assert found; "
        "print([str(path) for path in found if not pathlib.Path(compiled(path)).exists()])"
    )
    assert host.astro(f"{host.inputs.venv}/bin/python -c {quote(program)}") == "[]\n"


def packages(*names: str) -> str:
    """Return a lock file with some of the packages in Airflow's."""
    return "".join("".join(re.findall(rf"^{name}==.*\n(?:    .*\n)+", LOCK, re.MULTILINE)) for name in names)


def test_old_environments_go_unless_a_process_uses_them(made: Node) -> None:
    place = made.inputs.place
    first, names = made.sh(f"readlink {made.inputs.venv}").strip(), []
    made.sh(f"systemd-run -q --collect --unit=stays -p User=astro {first}/bin/python -c 'import time; time.sleep(900)'")
    try:
        for lock in (packages("idna"), packages("certifi"), packages("six", "idna")):
            other = replace(made, inputs=replace(made.inputs, locks={"3.11": lock}))
            other.converge()
            assert other.plan(other.steps).changes == ()
            names.append(made.sh(f"readlink {made.inputs.venv}").strip().rpartition("/")[2])
        kept = [first.rpartition("/")[2], *names]
        assert sorted(made.sh(f"ls {place}/venvs | grep -v complete").split()) == sorted(kept)
        assert made.sh(f"{first}/bin/python -c 'import six; print(six.__version__)'") == "1.17.0\n"
    finally:
        made.sh("systemctl stop stays")
    (change,) = other.plan(other.steps).changes
    assert change.change.summary == f"remove the old environment {kept[0]}"
    other.converge()
    for folder in ("venvs", "requirements"):
        assert sorted(made.sh(f"ls -A {place}/{folder} | grep -v complete").split()) == sorted(names)
    assert sorted(made.sh(f"ls {place}/venvs | grep complete").split()) == sorted(f"{each}.complete" for each in names)
    made.converge()  # the first one is created again, and the oldest of the others is removed
    assert names[0] not in made.sh(f"ls {place}/venvs").split()
    made.sh("rm -f /etc/pip.conf")


def with_python(host: Node, path: str) -> Node:
    """Return the host with another Python in hosts.yaml."""
    fleet = host.inputs.fleet
    return replace(host, inputs=replace(host.inputs, fleet=replace(fleet, airflow=replace(fleet.airflow, python=path))))


# Says who runs it.
ASKED = "printf '#!/bin/sh\\nid -u >>/tmp/ran-as\\nexec /usr/bin/python3 \"$@\"\\n' >{0}; chmod 755 {0}"


def test_a_python_of_the_service_users_is_refused_and_not_run_by_root(host: Node) -> None:
    host.sh("rm -f /tmp/ran-as; install -m 666 /dev/null /tmp/ran-as")
    host.astro(ASKED.format("/home/astro/python3"))
    theirs = with_python(host, "/home/astro/python3")
    with pytest.raises(HostError, match="the service user astro could replace /home/astro/python3"):
        theirs.plan(theirs.steps)
    assert host.sh("sort -u /tmp/ran-as") == "65534\n"
    host.astro("rm /home/astro/python3")


def test_a_link_to_python_in_the_hands_of_the_service_user_is_refused_too(host: Node) -> None:
    host.astro("ln -sfn /usr/bin/python3 /home/astro/python3")
    host.sh("ln -sfn /home/astro/python3 /opt/python3")
    theirs = with_python(host, "/opt/python3")
    with pytest.raises(HostError, match="the service user astro could replace /opt/python3"):
        theirs.plan(theirs.steps)
    host.sh("rm /opt/python3; rm -f /home/astro/python3")


def test_another_python_is_asked_by_nobody(host: Node) -> None:
    host.sh(f"rm -f /tmp/ran-as; install -m 666 /dev/null /tmp/ran-as; {ASKED.format('/opt/python3')}")
    own = with_python(host, "/opt/python3")
    assert own.plan(own.steps).changes == ()
    assert host.sh("cat /tmp/ran-as; rm /opt/python3") == "65534\n"


def test_modules_planted_for_python_to_find_break_none_of_our_programs(fleet: Fleet) -> None:
    planted = "mkdir -p /tmp/planted; for place in /tmp/planted /usr/local/airflow; do echo 0/0 >$place/json.py; done"
    fleet.sh(
        "worker1", f"{planted}; printf 'PYTHONPATH=/tmp/planted\\nPYTHONHOME=/nowhere\\n' >/etc/default/airflow.local"
    )
    try:
        shown = fleet.fab("-H", "worker1", "status", "--json").out
        assert [role["healthy"] for role in json.loads(shown)] == [True]
    finally:
        fleet.sh("worker1", "rm -r /tmp/planted /usr/local/airflow/json.py /etc/default/airflow.local")
    fleet.nothing_to_do("-H", "worker1", "deploy")
