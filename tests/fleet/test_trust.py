"""Root never trusts the service user: links planted by it, and races won by it, on a real host.

The host is bare. Only those steps of a node are applied that touch the service user's directories, which are as an
earlier version of Aerodrome, or somebody by hand, left them.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from aerodrome.components.inputs import Inputs
from aerodrome.components.node import node
from aerodrome.controller.keyring import Vault
from aerodrome.controller.known_hosts import KnownHosts
from aerodrome.core.lock import Claim
from aerodrome.core.plan import readable_script
from aerodrome.core.record import Caller, Origin, Recorder
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine.converge import Run
from aerodrome.engine.perform import perform
from aerodrome.errors import FleetError
from aerodrome.fleet.model import Fleet
from aerodrome.remote.connection import Connections
from lab.fleet import Lab
from tasks.values import hidden, look_up
from tests import real
from tests.real import PROJECT
from tests.unit.make import load

HOST = "worker3"  # beyond the five of the fleet
HOME, USER_HOME = "/usr/local/airflow", "/home/astro"
STEPS = ("node.user", "node.environment", "node.dags")
ATTEMPTS = 50
CANARY = "CANARY4711"  # only root may read it

HOSTS_YAML = """\
ssh: {{key: id_ed25519, known_hosts: known_hosts}}
hosts: {{{host}: {{address: {address}}}}}
roles: {{database: [{host}], scheduler: [{host}], webserver: [{host}]}}
airflow: {{executor: LocalExecutor, config_file: airflow.cfg}}
database: {{password: not-a-secret}}
deploy: {{dags: {dags}}}
"""

# Files that only root may touch, in addition to /etc: each link and each race leads to one of these.
VICTIMS = f"""\
grep -q {CANARY} /etc/shadow || echo 'canary:{CANARY}:::::::' >>/etc/shadow
rm -rf /srv/victim /etc/cron.d/planted
mkdir -p /srv/victim/releases /srv/victim/logs
for each in file releases/kept logs/kept; do echo {CANARY} >/srv/victim/$each; done
chmod 0600 /srv/victim/file
"""

# Everything as an earlier version left it: all of AIRFLOW_HOME belongs to the service user.
BEFORE = f"""\
getent passwd astro >/dev/null || useradd --system --user-group --create-home --shell /bin/false astro
rm -rf {HOME} /etc/default/airflow*
install -d -o astro -g astro {HOME} {USER_HOME}
rm -f {USER_HOME}/.bashrc
"""

# Runs as the service user, as a task could, until it is killed: it keeps replacing by links whatever
# root is about to write, own, fill or read.
WATCHER = f"""
import os
def quietly(do, *names):
    try:
        do(*names)
    except OSError:
        pass
def swap(target, name):
    quietly(os.unlink, name)
    quietly(os.rename, name, "was")
    quietly(os.symlink, target, name)
while True:
    quietly(os.chdir, "{HOME}")  # it may have been made anew
    quietly(os.symlink, "/etc/shadow", "{USER_HOME}/.bashrc")
    swap("/srv/victim/releases", "dags-releases")
    for name in ("logs", "plugins", "dags.new"):
        swap("/srv/victim/logs", name)
    for _ in range(5):
        try:
            names = os.listdir(".")
        except OSError:
            names = []
        for name in names:
            if name.startswith("airflow.cfg."):
                swap("/srv/victim/file", name)
        try:
            with open("mine", "w") as opened:
                opened.write("[core]\\n")
        except OSError:
            pass
        quietly(os.symlink, "/etc/shadow", "theirs")
        quietly(os.replace, "mine", "airflow.cfg")
        quietly(os.replace, "theirs", "airflow.cfg")
"""

PLANTED = f"""\
runuser -u astro -- sh -eu <<'END'
cd {HOME}
ln -s /etc/shadow airflow.cfg
ln -s /etc/shadow webserver_config.py
ln -s /etc/cron.d/planted airflow.cfg.by-hand
ln -s /srv/victim/releases dags-releases
ln -s /srv/victim/logs dags
for name in dags.new logs plugins config; do ln -s /srv/victim/logs $name; done
ln -s /etc/shadow {USER_HOME}/.bashrc
END
"""


@dataclass
class Site:
    """The host, and the engine that works on it."""

    lab: Lab
    fleet: Fleet
    inputs: Inputs
    run: Run

    def sh(self, command: str) -> str:
        done = self.lab.run(HOST, command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def steps(self) -> list[Step]:
        return [step for step in node(self.inputs, self.fleet.hosts[HOST]) if step.name in STEPS]

    def shown(self) -> str:
        """Ask, and return everything that a plan could show."""
        try:
            plan = self.run.ask({HOST: self.steps})[HOST]
        except FleetError as error:
            return str([(each.message, each.detail) for each in error.failures])
        return readable_script(plan) + "".join(f"{each.change.summary}{each.change.diff}" for each in plan.changes)

    def converge(self) -> str:
        """Apply; return the error, if any: a refusal is fine too."""
        try:
            perform(self.run, Runbook("trust", (Stage("trust", {HOST: self.steps}, {}),)))
        except FleetError as error:
            return "".join(f"{each.message}{each.detail}" for each in error.failures)
        return ""

    def damage(self) -> list[str]:
        """Return the damage: files of others that the service user has obtained or changed."""
        found = self.sh(
            "stat -c '%n %U' /srv/victim /srv/victim/* /srv/victim/*/* /etc /etc/shadow | grep -v ' root$' || :\n"
            f"for each in file releases/kept logs/kept; do grep -qx {CANARY} /srv/victim/$each || echo $each; done\n"
            "for each in logs releases; do [ $(ls -A /srv/victim/$each | wc -l) = 1 ] || echo more in $each; done\n"
            "[ $(ls -A /srv/victim | wc -l) = 3 ] || echo more in victim\n"
            "[ ! -e /etc/cron.d/planted ] || echo /etc/cron.d/planted\n"
            f"grep -c {CANARY} /etc/shadow | grep -vx 1 || :\n"
            f"find {HOME} {USER_HOME} -type f -user astro -exec grep -l {CANARY} {{}} + || :\n"
        )
        return found.splitlines()


class Free:
    """A run's lock that nobody else wants."""

    def take(self, claim: Claim, start: str) -> float:
        return 0

    def check(self) -> None: ...
    def tell(self, event: str) -> None: ...
    def release(self, end: str, stuck: bool = False) -> None: ...


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A bare host without Airflow."""
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    lab.up_host(HOST)
    folder = PROJECT / ".lab" / lab.name
    path = folder / "trust.yaml"
    values = {"host": HOST, "address": lab.address(HOST), "dags": f"{PROJECT}/examples/dags"}
    path.write_text(HOSTS_YAML.format(**values))
    (folder / "airflow.cfg").write_text("[core]\n# ours\n")
    fleet = load(str(path))
    vault = Vault(fleet)
    inputs, connections = (
        look_up(fleet, vault),
        Connections(fleet, partial(hidden, vault), KnownHosts(fleet.ssh.known_hosts)),
    )
    recorder = Recorder("20261124T181500Z-1f3a", Caller("test", "fab trust"), lambda: Origin("", ""))
    try:
        yield Site(lab, fleet, inputs, Run(connections, lambda event: None, Free(), recorder))
    finally:
        connections.close()
        if not os.environ.get("AERODROME_KEEP_LAB"):
            lab.remove([HOST])


@contextmanager
def watcher(site: Site) -> Iterator[None]:
    """Run the service user's attack in the background."""
    site.lab.run(HOST, "systemctl kill -s KILL watcher; systemctl reset-failed watcher")
    site.sh(
        f"cat >/srv/watcher.py <<'END'\n{WATCHER}END\n"
        "systemd-run -q --collect --unit=watcher --uid=astro python3 /srv/watcher.py"
    )
    try:
        yield
        site.sh("systemctl is-active watcher")  # otherwise nothing was tried
    finally:
        site.lab.run(HOST, "systemctl kill -s KILL watcher; systemctl reset-failed watcher")


def test_links_that_are_planted_lead_nowhere(site: Site) -> None:
    site.sh(VICTIMS + BEFORE + PLANTED)
    shown = site.shown()
    assert site.damage() == []
    problem = site.converge()
    assert site.damage() == []
    assert CANARY not in shown + problem
    assert problem == "", problem
    assert site.shown() == ""  # nothing is left to do
    found = site.sh(f"cd {HOME}; stat -c '%n %F %U:%G %a' . dags-releases airflow.cfg dags/.; readlink dags")
    assert found.splitlines() == [
        ". directory root:root 755",
        "dags-releases directory root:root 755",
        "airflow.cfg regular file root:astro 640",
        "dags/. directory root:root 755",
        f"{HOME}/dags-releases/{site.inputs.dags.digest}",  # type: ignore[union-attr]
    ]


def test_a_plan_shows_nothing_that_a_link_leads_to(site: Site) -> None:
    site.sh(VICTIMS + BEFORE + PLANTED + f"rm {HOME}/config\n")  # a link there is refused, and stops the plan
    fleet = real.Fleet(site.lab, Path(site.fleet.source).parent, (HOST,))
    for options in ((), ("--json",), ("--script",)):
        process = subprocess.run(
            [real.FAB, "plan", *options],
            cwd=PROJECT,
            env={**fleet.environment(), "AERODROME_HOSTS": site.fleet.source},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert process.returncode == 2, process
        assert "dags" in process.stdout
        assert CANARY not in process.stdout + process.stderr


def test_no_race_is_won(site: Site) -> None:
    """Each attack has its own victim: .bashrc, the releases, the temporary file of a write, a plan's output."""
    won: Counter[str] = Counter()
    site.sh(VICTIMS + BEFORE)
    with watcher(site):
        for _ in range(ATTEMPTS):
            site.sh(BEFORE)
            shown = site.shown() + site.converge()
            won.update(site.damage() + (["shown"] if CANARY in shown else []))
    assert not won, won


def test_all_of_it_converges_while_somebody_tries(site: Site) -> None:
    site.sh(VICTIMS + BEFORE)
    with watcher(site):
        assert site.converge() == ""
    assert site.shown() == ""


def test_a_sparse_file_and_a_pipe_do_not_hold_it_up(site: Site) -> None:
    site.sh(VICTIMS + BEFORE)
    site.sh(f"runuser -u astro -- truncate -s 1T {HOME}/airflow.cfg {USER_HOME}/.bashrc")
    began = time.monotonic()
    assert "larger than 4 MiB" in site.shown()
    site.sh(f"rm {HOME}/airflow.cfg; runuser -u astro -- mkfifo {HOME}/airflow.cfg")
    assert site.converge() == ""
    assert time.monotonic() - began < 30


def test_releases_that_were_the_service_users_are_replaced_by_roots(site: Site) -> None:
    site.sh(VICTIMS + BEFORE)
    releases = f"{HOME}/dags-releases"
    site.sh(
        f"runuser -u astro -- sh -eu <<'END'\nmkdir -p {releases}/one {releases}/two {releases}/1.new\n"
        f"touch {releases}/one/a.py\nln -s /srv/victim/releases {releases}/one/b\nln -s {releases}/two {HOME}/dags\nEND"
    )
    assert site.converge() == ""
    digest = site.inputs.dags.digest  # type: ignore[union-attr]
    assert sorted(site.sh(f"ls -A {releases}").split()) == sorted([digest, "two"])
    assert site.sh(f"find -L {HOME}/dags ! -user root") == ""
    assert site.damage() == []
