"""PostgreSQL and Redis on bare hosts of each Debian: their sandboxes, where they listen, and who reaches them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from lab.fleet import Lab
from tests.real import Fleet, wait
from tests.scenarios.conftest import kept
from tests.scenarios.scenario import DEBIAN_13, REDIS, WORKER

HOSTS_YAML = """\
ssh: {{key: id_ed25519, known_hosts: known_hosts}}
hosts:
  {host}: {{address: {address}}}
  {member}: {{address: {of_member}}}
roles: {{database: [{host}], redis: [{host}], scheduler: [{member}], webserver: [{host}], worker: [{member}]}}
network: {{firewall: false}}
"""
MEMBER, PORTS = REDIS, (5432, 6379)
EXPOSURES = {"postgresql@*": 3.0, "airflow-redis.service": 2.0}
SETTING = "SELECT setting FROM pg_settings WHERE name = 'listen_addresses'"


@dataclass
class Machine(Fleet):
    """A host with only PostgreSQL and Redis, and another member of its fleet."""

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def deploy(self) -> tuple[str, ...]:
        """In hosts.yaml the host is a web server, so that its port is guarded, but Airflow is never installed on it."""
        return "-H", self.host, "deploy", "--role=database,redis"

    @property
    def address(self) -> str:
        return self.lab.address(self.host)

    def psql(self, statement: str) -> str:
        return self.sh(self.host, f'runuser -u postgres -- psql -XAtqc "{statement}"').strip()

    def lets_in(self, port: int) -> tuple[bool, bool]:
        """Tell whether the member, and this machine, which is not a member, may connect to a port."""
        knock = f"timeout 3 bash -c '</dev/tcp/{self.address}/{port}'"
        here = False
        with suppress(OSError), socket.create_connection((self.address, port), timeout=3):
            here = True
        return self.lab.run(MEMBER, knock).returncode == 0, here

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Keep a PostgreSQL session open, as Airflow does."""
        asked = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
        self.sh(self.host, "systemd-run -q --collect --unit=client -p User=postgres psql -Xqc 'SELECT pg_sleep(600)'")
        wait("the session", lambda: self.psql(asked) == "1")
        yield
        # A sleeping session does not notice that its client has gone.
        self.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'")
        wait("the end of the session", lambda: self.psql(asked) == "0")


@pytest.fixture(scope="module", params=[(WORKER, "bookworm"), (DEBIAN_13, "trixie")], ids=lambda param: param[1])
def machine(request: pytest.FixtureRequest, lab: Lab) -> Machine:
    """The host after a deploy."""
    host, suite = request.param
    if not kept():
        lab.down()
    lab.up_host(host, suite)
    lab.up_host(MEMBER)
    machine = Machine(lab, lab.layout.client, (host, MEMBER), MEMBER)
    machine.hosts_yaml.write_text(
        HOSTS_YAML.format(host=host, address=lab.address(host), member=MEMBER, of_member=lab.address(MEMBER))
    )
    machine.fab(*machine.deploy)
    return machine


def test_what_runs_is_exposed_little(machine: Machine) -> None:
    for unit, most in EXPOSURES.items():
        names = machine.sh(machine.host, f"systemctl list-units --plain --no-legend '{unit}' | cut -d' ' -f1")
        found = machine.sh(machine.host, f"systemd-analyze security --no-pager {names}")
        exposure = float(re.findall(r"Overall exposure level for \S+: ([\d.]+)", found)[0])
        print(f"{machine.host}: {unit}: exposure {exposure}")
        assert exposure <= most, found


def test_a_rerun_changes_nothing_and_a_restart_works(machine: Machine) -> None:
    machine.nothing_to_do(*machine.deploy)
    machine.sh(machine.host, "systemctl restart postgresql airflow-redis")
    machine.nothing_to_do(*machine.deploy)
    assert machine.psql("CREATE TABLE t AS SELECT 1 AS x; SELECT x FROM t; DROP TABLE t") == "1"


def test_they_listen_on_the_address_of_the_host_only(machine: Machine) -> None:
    rows = json.loads(machine.fab("-H", machine.host, "status", "--ports", "--json").out)
    assert {(row["address"], row["port"], *row["programs"], row["reach"]) for row in rows if row["port"] != 22} == {
        (machine.address, 5432, "postgres", "everybody"),
        ("127.0.0.1", 5432, "postgres", "this host"),
        (machine.address, 6379, "redis-server", "everybody"),
    }
    shown = machine.fab("-H", machine.host, "status", "--ports").out
    assert re.search(rf"{machine.host} +22 +all +sshd +everybody", shown)


def test_redis_does_not_move_under_its_clients(machine: Machine) -> None:
    text = machine.hosts_yaml.read_text()
    port, listen = (
        f"{text}broker: {{port: 6380}}\n",
        text.replace(f"{{address: {machine.address}}}", f"{{address: {machine.address}, listen: 0.0.0.0}}"),
    )
    before = machine.sh(machine.host, "systemctl show -p InvocationID airflow-redis")
    with socket.create_connection((machine.address, 6379), timeout=3):
        for moved, hint in ((port, "fab deploy for the whole fleet"), (listen, "fab stop --role=scheduler,worker")):
            machine.hosts_yaml.write_text(moved)
            for command in (machine.deploy, ("setup-redis",), ("-H", machine.host, "plan")):
                done = machine.fab(*command, code=1)
                assert "redis.server: Redis would restart to listen on" in done.err, done.text
                assert "is connected" in done.err and hint in done.err, done.text
    assert machine.sh(machine.host, "systemctl show -p InvocationID airflow-redis") == before
    machine.hosts_yaml.write_text(port)
    assert "restart airflow-redis.service" in machine.fab("setup-redis").err
    machine.nothing_to_do(*machine.deploy)
    with socket.create_connection((machine.address, 6380), timeout=3):
        machine.nothing_to_do("setup-redis")
    machine.hosts_yaml.write_text(text)
    machine.fab("setup-redis")


def test_postgresql_is_not_restarted_while_somebody_is_connected(machine: Machine) -> None:
    # Like a fleet deployed by an earlier version: on all addresses, without a drop-in.
    machine.psql("ALTER SYSTEM SET listen_addresses = '*'")
    machine.sh(machine.host, "rm -r /etc/systemd/system/postgresql@.service.d; systemctl daemon-reload")
    machine.sh(machine.host, "systemctl restart postgresql")
    with machine.connected():
        started = machine.psql("SELECT pg_postmaster_start_time()")
        done = machine.fab(*machine.deploy)
        assert "from PostgreSQL's next restart on (1 are connected: fab stop, then fab deploy)" in done.err
        machine.nothing_to_do(*machine.deploy)
        assert machine.psql("SELECT pg_postmaster_start_time()") == started
        assert machine.psql(SETTING) == "*"

    done = machine.fab(*machine.deploy)

    assert "restart PostgreSQL (listen_addresses was changed, its drop-in was changed)" in done.err
    assert machine.psql(SETTING) == f"{machine.address},127.0.0.1"
    machine.nothing_to_do(*machine.deploy)


def test_an_address_that_the_host_does_not_have_touches_nothing(machine: Machine) -> None:
    text = machine.hosts_yaml.read_text()
    machine.hosts_yaml.write_text(
        text.replace(f"{{address: {machine.address}}}", f"{{address: {machine.address}, listen: 192.0.2.1}}")
    )
    try:
        done = machine.fab(*machine.deploy, code=1)
    finally:
        machine.hosts_yaml.write_text(text)
    assert (
        f"{machine.host}: database.server: PostgreSQL should listen on 192.0.2.1, but the host does not have"
        in done.err
    )
    assert f"hosts.{machine.host}.listen: 0.0.0.0" in done.err
    machine.nothing_to_do(*machine.deploy)


def test_the_firewall_lets_in_the_fleet_only(machine: Machine) -> None:
    assert [machine.lets_in(port) for port in PORTS] == [(True, True), (True, True)]

    machine.change("firewall: false", "firewall: true")
    machine.fab(*machine.deploy)

    machine.nothing_to_do(*machine.deploy)
    assert [machine.lets_in(port) for port in PORTS] == [(True, False), (True, False)]
    assert machine.lets_in(22) == (True, True)
    rows = json.loads(machine.fab("-H", machine.host, "status", "--ports", "--json").out)
    assert {row["reach"] for row in rows if row["port"] in PORTS} == {"the fleet", "this host"}


def test_the_web_server_is_for_the_fleet_and_whom_the_operator_allows(machine: Machine) -> None:
    machine.sh(machine.host, "systemd-run -q --collect --unit=web python3 -m http.server 8080")
    try:
        wait("a server in place of Airflow's", lambda: machine.lets_in(8080) == (True, True))
        for allowed, here in (("192.0.2.0/24", False), (f"192.0.2.0/24, {machine.lab.layout.gateway}", True)):
            machine.hosts_yaml.write_text(
                re.sub(
                    r"network: .*", f"network: {{firewall: true, allow: [{allowed}]}}", machine.hosts_yaml.read_text()
                )
            )
            machine.fab(*machine.deploy)
            machine.nothing_to_do(*machine.deploy)
            assert machine.lets_in(8080) == (True, here)
            assert machine.lets_in(5432) == (True, False)
    finally:
        machine.sh(machine.host, "systemctl stop web")


def test_the_firewall_is_there_after_a_reboot(machine: Machine) -> None:
    machine.lab.down_host(machine.host)
    machine.lab.up_host(machine.host)
    wait("PostgreSQL", lambda: machine.lets_in(5432) == (True, False))
    machine.nothing_to_do(*machine.deploy)


def test_a_flushed_ruleset_is_loaded_again_and_what_others_have_stays(machine: Machine) -> None:
    theirs = "nft add table inet theirs; nft list table inet theirs"
    machine.sh(machine.host, f"nft flush ruleset; {theirs}")
    assert machine.lets_in(5432) == (True, True)

    done = machine.fab(*machine.deploy)

    assert "load the firewall's table" in done.err
    assert machine.lets_in(5432) == (True, False)
    machine.hosts_yaml.write_text(re.sub(r"network: .*", "network: {firewall: false}", machine.hosts_yaml.read_text()))
    assert "remove the firewall" in machine.fab(*machine.deploy).err
    machine.nothing_to_do(*machine.deploy)
    assert machine.lets_in(5432) == (True, True)
    assert machine.sh(machine.host, "nft list tables").split() == ["table", "inet", "theirs"]
    assert machine.sh(machine.host, "ls /etc/aerodrome /etc/systemd/system | grep -c firewall || true").strip() == "0"


def test_a_host_that_loses_its_roles_loses_its_firewall_and_what_it_still_runs_is_reported(machine: Machine) -> None:
    text = machine.hosts_yaml.read_text()
    machine.hosts_yaml.write_text(re.sub(r"network: .*", "network: {firewall: true}", text))
    machine.fab(*machine.deploy)
    assert machine.lets_in(5432) == (True, False)
    machine.hosts_yaml.write_text(re.sub(rf"(?<=: )\[{machine.host}\]", f"[{MEMBER}]", machine.hosts_yaml.read_text()))
    said = [
        f"note: {machine.host}: {name} still runs here, and hosts.yaml no longer has this host in the role {role}."
        for name, role in (("PostgreSQL", "database"), ("Redis", "redis"))
    ]

    shown = machine.fab("-H", machine.host, "plan", code=2)
    assert "network.firewall: remove the firewall" in shown.out
    assert [each for each in said if each not in shown.err] == []
    done = machine.fab("-H", machine.host, "deploy")

    assert done.err.count("still runs here") == 2
    assert machine.lets_in(5432) == machine.lets_in(6379) == (True, True)  # they run as before
    machine.nothing_to_do("-H", machine.host, "deploy")
    status = machine.fab("-H", machine.host, "status", code=1)
    assert [each for each in said if each not in status.err] == []
    machine.sh(machine.host, "systemctl disable -q --now postgresql airflow-redis")  # as the note says
    assert "still runs" not in machine.fab("-H", machine.host, "plan").err
