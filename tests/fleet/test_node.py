"""Step 2, part by part: nothing to do if all is well; drift is shown and repaired, and units restart."""

from __future__ import annotations

import base64
import json
from pathlib import PurePosixPath

import pytest
import yaml

from tests.fleet.conftest import HOSTS, Fleet

PARTS = ("packages", "user", "hosts", "venv", "install", "unit", "environment")
UNIT = "/etc/systemd/system/airflow@.service"
FILE = "/etc/default/airflow"
ROLE_FILE = "/etc/default/airflow-worker"  # with the secrets that this role needs
HOME = "/usr/local/airflow"
MODULE = PurePosixPath(HOME, "config/aerodrome_host.py")
VENV = "/opt/aerodrome/airflow/venv"
WORKER = ("worker1", "airflow@worker.service")

# Every file with its kind, size, mode, owner, and the times of its content and attributes, so that any write
# shows. Python's caches and the logs of running units are excluded.
SNAPSHOT = (
    "find /etc /home /root /opt /srv /usr/local /var/spool /var/lib/dpkg /var/lib/systemd -xdev "
    "\\( -name __pycache__ -o -path /usr/local/airflow/logs -o -path /var/lib/systemd/timers \\) -prune "
    "-o -printf '%p %y %l %s %m %u:%g %T@ %C@\\n' | sort"
)


@pytest.fixture(autouse=True)
def put_back(fleet: Fleet) -> object:
    """Repair worker1 if a test ended in the middle."""
    yield
    fleet.fab("-H", "worker1", "deploy")


def read(fleet: Fleet, host: str, path: str) -> bytes:
    """Return a file of a host, byte for byte."""
    return base64.b64decode(fleet.sh(host, f"base64 {path}"))


def write(fleet: Fleet, host: str, path: str, content: bytes) -> None:
    """Write a file on a host as an editor does, keeping owner and mode."""
    fleet.sh(host, f"echo {base64.b64encode(content).decode()} | base64 -d >{path}")


def split_block(content: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the text before our block, in it, and after it."""
    before, begin, rest = content.partition(b"# BEGIN aerodrome\n")
    block, end, after = rest.partition(b"# END aerodrome\n")
    assert begin and end, content
    return before, block, after


def plan(fleet: Fleet) -> str:
    """Return the output of `fab plan` for worker1, and assert that asking changes nothing."""
    before = {host: fleet.sh(host, SNAPSHOT) for host in HOSTS}
    running = fleet.started()
    shown = fleet.fab("plan", code=2).out
    for host in HOSTS:
        changed = set(before[host].splitlines()) ^ set(fleet.sh(host, SNAPSHOT).splitlines())
        assert not changed, f"{host}: {sorted(changed)}"
    assert fleet.started() == running
    hosts = [line for line in shown.splitlines() if line in HOSTS]
    assert hosts == ["worker1"], shown
    return shown


@pytest.mark.parametrize("part", PARTS)
def test_each_part_alone_has_nothing_to_do(fleet: Fleet, part: str) -> None:
    fleet.nothing_to_do("-H", "worker1", f"node.{part}")


def test_the_whole_of_step_two_has_nothing_to_do(fleet: Fleet) -> None:
    fleet.nothing_to_do("setup-node")


def test_the_service_user_s_shell_keeps_what_the_distribution_gave_it(fleet: Fleet) -> None:
    lines = "head -n -1 ~astro/.bashrc | cmp - /etc/skel/.bashrc && tail -n 1 ~astro/.bashrc"
    assert fleet.sh("worker1", lines) == "export AIRFLOW_HOME=/usr/local/airflow\n"


def test_what_needs_no_restart_is_repaired_without_one(fleet: Fleet) -> None:
    before = fleet.started()
    secrets = yaml.safe_load(fleet.hosts_yaml.with_name("secrets.yaml").read_text()).values()
    fleet.sh("worker1", f"chown astro:astro {HOME}; sed -i '/ web1$/d' /etc/hosts")

    shown = plan(fleet)

    assert f"node.user: take {HOME} from astro: only logs in it stays astro's" in shown
    diff = [line.strip() for line in shown.splitlines()]
    assert "--- /etc/hosts" in diff and "+++ /etc/hosts" in diff
    assert f"+{fleet.lab.address('web1')} web1" in diff
    assert [secret for secret in secrets if secret in shown] == []
    assert "restart" not in shown

    for part in ("hosts", "user"):
        fleet.fab("-H", "worker1", f"node.{part}")
        fleet.nothing_to_do("-H", "worker1", f"node.{part}")
    assert fleet.sh("worker1", f"stat -c '%U:%G %a' {HOME}").strip() == "root:root 755"
    fleet.nothing_to_do("-H", "worker1", "deploy")
    assert fleet.started() == before


def test_a_mode_alone_restarts_nothing_in_a_deploy_either(fleet: Fleet) -> None:
    before = fleet.started()
    # One that another user owned is replaced, as they may have it open: its content is what counts.
    fleet.sh("worker1", f"chmod 644 {FILE}; chown astro {FILE} {MODULE} {MODULE.parent}; chmod 600 {UNIT}")

    shown = plan(fleet)
    assert f"node.environment: own {FILE} root:root 0600" in shown
    assert f"node.unit: own {UNIT} root:root 0644" in shown
    assert f"node.hosts: own {MODULE} root:root 0644" in shown
    fleet.fab("-H", "worker1", "node.environment")
    assert fleet.sh("worker1", f"stat -c '%U:%G %a' {FILE}").strip() == "root:root 600"
    fleet.fab("-H", "worker1", "deploy")

    assert fleet.sh("worker1", f"stat -c '%U:%G %a' {FILE} {UNIT}").splitlines() == ["root:root 600", "root:root 644"]
    assert "restart" not in shown
    assert fleet.started() == before
    fleet.nothing_to_do("-H", "worker1", "deploy")


def test_content_that_another_owner_has_changed_restarts_the_unit_that_may_have_read_it(fleet: Fleet) -> None:
    before, own = fleet.started(), read(fleet, "worker1", FILE)
    fleet.sh("worker1", f"touch -r {FILE} /run/before; chown astro {FILE}; echo MORE=1 >>{FILE}")
    fleet.sh("worker1", f"systemctl restart {WORKER[1]}; sleep 1")
    write(fleet, "worker1", FILE, own)
    fleet.sh("worker1", f"touch -r /run/before {FILE}")
    by_hand = fleet.started()
    assert by_hand != before

    done = fleet.fab("-H", "worker1", "deploy")

    assert f"restart {WORKER[1]} ({FILE} is newer)" in done.err
    after = fleet.started()
    assert {key for key in after if after[key] != by_hand[key]} == {WORKER}
    fleet.nothing_to_do("-H", "worker1", "deploy")


def test_what_the_worker_reads_is_shown_repaired_and_restarts_that_worker_alone(fleet: Fleet) -> None:
    before = fleet.started()
    wanted = {path: read(fleet, "worker1", path) for path in (UNIT, FILE, ROLE_FILE)}
    secrets = yaml.safe_load(fleet.hosts_yaml.with_name("secrets.yaml").read_text()).values()
    fleet.sh("worker1", f"rm {UNIT} {VENV}; systemctl daemon-reload")
    by_hand = wanted[FILE].replace(b"AIRFLOW__CORE__LOAD_EXAMPLES=False", b"AIRFLOW__CORE__LOAD_EXAMPLES=True")
    write(fleet, "worker1", FILE, by_hand + b"API_KEY_BY_HAND=also-secret\n")
    by_hand = wanted[ROLE_FILE].replace(b"AIRFLOW__API__SECRET_KEY=", b"AIRFLOW__API__SECRET_KEY=typed-by-hand")
    write(fleet, "worker1", ROLE_FILE, by_hand)

    shown = plan(fleet)

    diff = [line.strip() for line in shown.splitlines()]
    for line in (
        f"node.unit: write {UNIT}",
        f"--- {UNIT}",
        f"+++ {UNIT}",
        "+ExecStart=/opt/aerodrome/airflow/venv/bin/airflow %i",
        f"node.environment: write {FILE}",
        f"--- {FILE}",
        f"+++ {FILE}",
        "-AIRFLOW__CORE__LOAD_EXAMPLES=True",
        "+AIRFLOW__CORE__LOAD_EXAMPLES=False",
        "-API_KEY_BY_HAND=********",
        f"node.environment: write {ROLE_FILE}",
        "-AIRFLOW__API__SECRET_KEY=******** (differs)",
        "+AIRFLOW__API__SECRET_KEY=********",
    ):
        assert any(found.startswith(line) for found in diff), f"{line}\n{shown}"
    assert f"node.install: link {VENV} to it" in shown
    assert "typed-by-hand" not in shown and "also-secret" not in shown
    assert [secret for secret in secrets if secret in shown] == []
    assert [line.split(" (")[0] for line in diff if "restart" in line] == [
        "roles.worker: restart airflow@worker.service"
    ]
    document = json.loads(fleet.fab("-H", "worker1", "plan", "--json", code=2).out)
    assert [change["restarts"] for change in document[0]["changes"] if change["restarts"]] == [WORKER[1]]

    for part in ("unit", "environment", "install"):
        fleet.fab("-H", "worker1", f"node.{part}")
        fleet.nothing_to_do("-H", "worker1", f"node.{part}")
    assert {path: read(fleet, "worker1", path) for path in wanted} == wanted
    # A part of step 2 restarts nothing, and the worker runs with exactly what has been restored.
    fleet.nothing_to_do("-H", "worker1", "deploy")
    assert fleet.started() == before

    write(fleet, "worker1", FILE, wanted[FILE] + b"API_KEY_BY_HAND=also-secret\n")
    fleet.sh("worker1", f"systemctl restart {WORKER[1]}; sleep 1")
    by_hand_too = fleet.started()
    fleet.fab("-H", "worker1", "deploy")
    after = fleet.started()
    assert {key for key in before if after[key] != by_hand_too[key]} == {WORKER}
    fleet.nothing_to_do("deploy")


def test_lines_of_etc_hosts_that_others_wrote_survive_byte_for_byte(fleet: Fleet) -> None:
    own = read(fleet, "worker1", "/etc/hosts")
    before, block, after = split_block(own)
    first = b"# by hand \t \r\n192.0.2.1\tprinter  # na\xefve, \x0c and \xe2\x80\xa8\r\n" + before
    last = after + b"\n\n192.0.2.2 scanner  \n# the last line has no end"
    write(fleet, "worker1", "/etc/hosts", first + b"# BEGIN aerodrome\n192.0.2.3 gone\n# END aerodrome\n" + last)
    try:
        fleet.fab("-H", "worker1", "node.hosts")
        fleet.nothing_to_do("-H", "worker1", "node.hosts")

        assert split_block(read(fleet, "worker1", "/etc/hosts")) == (first, block, last)
        assert fleet.sh("worker1", "getent hosts web1 scanner").split()[1::2] == ["web1", "scanner"]
    finally:
        write(fleet, "worker1", "/etc/hosts", own)


def test_a_block_with_one_marker_is_left_alone_and_said(fleet: Fleet) -> None:
    own = read(fleet, "worker1", "/etc/hosts")
    write(fleet, "worker1", "/etc/hosts", own.replace(b"# END aerodrome\n", b""))
    try:
        refused = fleet.fab("-H", "worker1", "node.hosts", code=1)
        assert "worker1: node.hosts: /etc/hosts has only one of the markers" in refused.err
        assert read(fleet, "worker1", "/etc/hosts") == own.replace(b"# END aerodrome\n", b"")
    finally:
        write(fleet, "worker1", "/etc/hosts", own)
