"""Things that a bare host may already have, and how they are reported before anything is touched."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import FAB, PROJECT, Fleet

HOST = "worker3"
HOSTS_YAML = """\
ssh: {{key: {folder}/id_ed25519, known_hosts: known hosts}}
hosts: {{worker3: {{address: {address}}}}}
roles: {{database: [worker3], redis: [worker3], scheduler: [worker3], webserver: [worker3], worker: [worker3]}}
airflow: {{home: /srv/airflow, service: team}}
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One bare host outside the fleet of the other tests, and a hosts.yaml with all roles on it."""
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    lab.up_host(HOST)
    keys, folder = PROJECT / ".lab" / lab.name, tmp_path_factory.mktemp("alone")
    fleet = Fleet(lab, folder, (HOST,))
    fleet.hosts_yaml.write_text(HOSTS_YAML.format(folder=keys, address=lab.address(HOST)))
    known(fleet).write_text((keys / "known_hosts").read_text())
    fleet.sh(HOST, "touch /run/before; sleep 0.1")
    yield fleet
    lab.remove([HOST])


@pytest.fixture
def host(alone: Fleet) -> Iterator[Fleet]:
    """The bare host; no test leaves a trace on it."""
    text = alone.hosts_yaml.read_text()
    yield alone
    alone.hosts_yaml.write_text(text)
    assert alone.sh(HOST, "getent passwd astro || true; ls /etc/default/team* 2>/dev/null || true") == ""


def known(fleet: Fleet) -> Path:
    return fleet.folder / "known hosts"


def refusal(fleet: Fleet, task: str = "plan") -> str:
    """Return why a host is refused."""
    told = fleet.fab(task, code=1).err
    (line,) = [line for line in told.splitlines() if line.startswith(HOST)]
    return line.removeprefix(f"{HOST}: ")


ELSEWHERE = "set airflow.home in hosts.yaml to a directory of Airflow's own"


@pytest.mark.parametrize(
    "made, told",
    [
        ("mkdir /srv/airflow; touch /srv/airflow/index.html /srv/airflow/a /srv/airflow/b /srv/airflow/c",
         f"/srv/airflow is in use by something other than Airflow: it contains a, b, c, … → {ELSEWHERE}"),
        ("mkdir /srv/airflow; touch /srv/airflow/dags; chown nobody /srv/airflow",
         f"/srv/airflow belongs to nobody, not to root or astro → {ELSEWHERE}, "
         "or airflow.user to nobody if Airflow runs as nobody"),
        ("touch /srv/airflow",
         f"/srv/airflow is a regular empty file, but AIRFLOW_HOME must be a directory → {ELSEWHERE}"),
    ],
)  # fmt: skip
def test_a_home_that_belongs_to_something_else(host: Fleet, made: str, told: str) -> None:
    host.sh(HOST, made)
    before = host.sh(HOST, "stat -c '%n %U %a' /srv/airflow /srv/airflow/* || true")
    try:
        assert refusal(host) == f"node.user: {told}"
        assert host.sh(HOST, "stat -c '%n %U %a' /srv/airflow /srv/airflow/* || true") == before
    finally:
        host.sh(HOST, "rm -rf /srv/airflow")


def test_a_home_of_airflow_is_accepted(host: Fleet) -> None:
    host.sh(HOST, "mkdir -p /srv/airflow/dags /srv/airflow/lost+found; touch /srv/airflow/x")
    try:
        host.fab("plan", code=2)
    finally:
        host.sh(HOST, "rm -rf /srv/airflow")


UNITS = {
    "/etc/systemd/system/team.service": "/bin/sleep 1",
    "/etc/systemd/system/team@.service": "/usr/bin/tail -f /dev/null",
    "/usr/lib/systemd/system/team@.service": "/usr/bin/tail -f /dev/null",
}


@pytest.mark.parametrize("path", UNITS)
def test_a_unit_that_belongs_to_something_else(host: Fleet, path: str) -> None:
    text = f"# no airflow here\n[Service]\nExecStart={UNITS[path]}\n"
    host.sh(HOST, f"printf %s {shlex.quote(text)} >{path}; systemctl daemon-reload")
    try:
        shown = path.removeprefix("/usr")
        assert re.fullmatch(
            "node.unit: the host already has a unit of that name that does not belong to Airflow: "
            rf"(/usr)?{re.escape(shown)} → "
            "set airflow.service in hosts.yaml to a name that no other unit has",
            refusal(host),
        )
        assert host.sh(HOST, f"cat {path}") == text
        host.sh(HOST, f"echo ExecStartPre=/home/astro/airflow-venv/bin/airflow >>{path}; systemctl daemon-reload")
        host.fab("plan", code=2)  # set up by hand after the guide, so it is taken over
    finally:
        host.sh(HOST, f"rm {path}; systemctl daemon-reload")


def test_an_environment_file_that_belongs_to_something_else(host: Fleet) -> None:
    host.sh(HOST, "echo TEAM_OPTIONS=-v >/etc/default/team")
    try:
        assert refusal(host) == (
            "node.environment: /etc/default/team already exists and does not mention Airflow → "
            "set airflow.service in hosts.yaml to a name that no other service has"
        )
        assert refusal(host, "deploy") == refusal(host)
        host.sh(HOST, "echo AIRFLOW_HOME=/srv/airflow >/etc/default/team")
        host.fab("plan", code=2)
    finally:
        host.sh(HOST, "rm /etc/default/team")


LISTEN = "import socket, time; s = socket.create_server(('{address}', {port})); time.sleep(600)"
PORTS = [
    ("0.0.0.0", 8080, "roles.webserver", "team@webserver.service", "airflow.web_port"),
    ("127.0.0.1", 8793, "roles.worker", "team@worker.service", "logging.worker_log_server_port under airflow.config"),
    ("0.0.0.0", 6379, "redis.server", "team-redis.service", "broker.port"),
    ("127.0.0.1", 5432, "database.server", "postgresql*.service", "database.port"),
]


@pytest.mark.parametrize("address, port, step, unit, key", PORTS)
def test_a_port_that_another_program_holds(
    host: Fleet, address: str, port: int, step: str, unit: str, key: str
) -> None:
    program = LISTEN.format(address=address, port=port)
    host.sh(HOST, f"systemd-run -q --unit=greedy python3 -c {shlex.quote(program)}")
    try:
        host.sh(HOST, f"until ss -ltnH 'sport = :{port}' | grep -q .; do sleep 0.1; done")
        pid = host.sh(HOST, "systemctl show -p MainPID --value greedy").strip()
        assert refusal(host) == (
            f"{step}: python3 (process {pid}) of greedy.service listens on port {port}, which {unit} needs → "
            f"stop it, or set {key} in hosts.yaml"
        )
        if port == 8080:
            assert refusal(host, "deploy") == refusal(host)
    finally:
        host.sh(HOST, "systemctl stop greedy")


def test_a_port_of_another_address_is_free(host: Fleet) -> None:
    # As the distribution's own Redis, which is left alone.
    host.sh(
        HOST, f"systemd-run -q --unit=greedy python3 -c {shlex.quote(LISTEN.format(address='127.0.0.1', port=6379))}"
    )
    try:
        host.sh(HOST, "until ss -ltnH 'sport = :6379' | grep -q .; do sleep 0.1; done")
        host.fab("plan", code=2)
    finally:
        host.sh(HOST, "systemctl stop greedy")


def test_a_host_key_that_changed_is_reported_with_the_line_that_forgets_it(host: Fleet) -> None:
    assert host.fab("trust-hosts").err == f"{HOST}: known\n"
    keys = known(host).read_text()
    host.sh(HOST, "mkdir /root/keys; cp -p /etc/ssh/ssh_host_* /root/keys; rm /etc/ssh/ssh_host_*; ssh-keygen -qA")
    host.sh(HOST, "systemctl try-restart ssh.service")
    try:
        forget = f"ssh-keygen -R {host.lab.address(HOST)} -f '{known(host)}'"
        hint = f"if the machine was reinstalled: {forget} && fab -H {HOST} trust-hosts"
        told = host.fab("trust-hosts", "--yes", code=1).err
        assert re.fullmatch(
            rf"{HOST}: trust-hosts: \S+ presents ssh-ed25519 SHA256:\S+, which does not match .* → {re.escape(hint)}\n",
            told,
        )
        assert known(host).read_text() == keys
        assert hint in host.fab("plan", code=1).err

        subprocess.run(["sh", "-c", forget], check=True, capture_output=True)  # as an operator pastes it
        assert "added to" in host.fab("trust-hosts", "--yes").err
        assert host.fab("trust-hosts").err == f"{HOST}: known\n"
        host.fab("run", "true")
    finally:
        host.sh(HOST, "cp -p /root/keys/* /etc/ssh; rm -r /root/keys; systemctl try-restart ssh.service")
        known(host).write_text(keys)


def test_a_question_about_a_host_key_that_nobody_answers(host: Fleet) -> None:
    keys = known(host).read_text()
    known(host).unlink()
    terminal, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [FAB, "trust-hosts"], cwd=PROJECT, env=host.environment(), stdin=theirs, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.write(terminal, b"\x04")  # Ctrl-D: the end of what is typed
        _, told = process.communicate(timeout=60)
    finally:
        os.close(terminal)
        os.close(theirs)
        known(host).write_text(keys)
    assert process.returncode == 1
    assert "Traceback" not in told
    assert told.splitlines()[-2:] == [
        f"error: no answer: the key of {HOST} was not added",
        "  → verify the fingerprints, then add --yes",
    ]
