"""What a database host is made of."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.checks.access import AccessLeft
from aerodrome.checks.address import OwnAddress
from aerodrome.checks.login import DatabaseLogin
from aerodrome.checks.ports import FreePort
from aerodrome.components.login import database_login
from aerodrome.components.node import node
from aerodrome.components.roles.database import COMPONENT
from aerodrome.core.step import Step
from aerodrome.fleet.model import Broker, Database, Fleet, Host
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import Login, PostgresAccount, PostgresServer
from aerodrome.resources.postgres_access import AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import PostgresDropin
from aerodrome.secrets import Reference, Secret
from tests.unit.make import AWKWARD, HOSTS, ROLES_OF_FLEET, Shell, fleet, inputs, parameters

DB1 = HOSTS["db1"]
DROPIN = """\
# Written by Aerodrome. In force from the next start of PostgreSQL on.
[Unit]
Wants=network-online.target
After=network-online.target

[Service]
# PostgreSQL goes on without an address that is not there yet at boot, and never listens on it later.
ExecStartPre=-/bin/sh -c 'for second in $$(seq 60); do \
grep -wF -q -e "-- 10.0.0.1" /proc/net/fib_trie && exit; sleep 1; done'
# Sandbox (hosts.yaml, database.sandbox). Debian's unit starts as root and lets go of that itself.
User=postgres
Group=postgres
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=full
ProtectHome=read-only
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallFilter=@chown
SystemCallErrorNumber=EPERM
# Not ProtectSystem=strict: archive_command and tablespaces may write anywhere. Not PrivateTmp=yes: a socket may be in
# /tmp. Not RemoveIPC=yes: it would take the memory of another cluster of the same user's. Not
# MemoryDenyWriteExecute=yes: PostgreSQL compiles queries (jit).
"""
NODES = ("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")


def test_a_database_host_as_a_whole() -> None:
    given, salt = inputs(fleet(version="2.11.2", database=Database("meta", "me", 5433))), bytes(range(16))
    logins = (Login("me", "meta", NODES),)
    assert COMPONENT.machine(given, DB1) == [
        Step("database.packages", (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)),
        Step(
            "database.server",
            (PostgresDropin(DROPIN), PostgresServer(5433, logins, ("10.0.0.1", "127.0.0.1"))),
            (OwnAddress("PostgreSQL", "db1", "10.0.0.1"), FreePort(5433, "postgresql*.service", "database.port")),
        ),
        Step("database.access", (PostgresAccess(logins),), (AccessLeft(logins),)),
        Step("database.account", (PostgresAccount("me", Secret(AWKWARD), "meta", salt, logins=logins),)),
    ]
    assert COMPONENT.afterwards(given) == [Step("database.closed", (AccessClosed(logins),))]


SEPARATE = (
    Login("me", "meta", ("10.0.0.2", "10.0.0.3")),
    Login("me_celery", "meta_celery", ("10.0.0.2", "10.0.0.4", "10.0.0.5")),
)
WORKERS = tuple(f'host "meta" "me" 10.0.0.{number}/32 scram-sha-256' for number in (4, 5))


def test_from_airflow_3_celery_has_a_database_and_a_login_of_its_own() -> None:
    given, salt = inputs(fleet(database=Database("meta", "me", 5433))), bytes(range(16))
    celery = Secret("celery-secret")
    _, server, access, accounts = COMPONENT.machine(given, DB1)
    assert server.resources[-1] == PostgresServer(5433, SEPARATE, ("10.0.0.1", "127.0.0.1"))
    assert access == Step("database.access", (PostgresAccess(SEPARATE),), (AccessLeft(SEPARATE, WORKERS),))
    assert accounts.resources == (
        PostgresAccount("me", Secret(AWKWARD), "meta", salt, private=True, logins=SEPARATE),
        PostgresAccount("me_celery", celery, "meta_celery", salt, private=True, logins=SEPARATE),
    )
    assert COMPONENT.afterwards(given) == [Step("database.closed", (AccessClosed(SEPARATE),))]
    whole = COMPONENT.machine(replace(given, whole=True), DB1)[2]
    assert whole.requires == (AccessLeft(SEPARATE, WORKERS, whole=True),)


@pytest.mark.parametrize("broker", [Broker(separate=False), Broker(url=Secret("amqp://b"), result_backend=Secret("x"))])
def test_of_celery_s_own_database_no_line_is_needed_any_more_once_everything_has_moved(broker: Broker) -> None:
    (check,) = COMPONENT.machine(inputs(fleet(broker=broker)), DB1)[2].requires
    assert isinstance(check, AccessLeft)
    celery = [line for line in check.leaving if '"airflow_celery"' in line]
    assert [line.split()[3] for line in celery] == [f"{address}/32" for address in NODES]


def test_a_celery_password_that_was_made_just_now_spares_the_role() -> None:
    airflow, celery = COMPONENT.machine(inputs(made=frozenset({"celery_password"})), DB1)[3].resources
    assert (airflow.made, celery.made) == (False, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "of, logins, workers",
    [
        # Broker and results in Redis: PostgreSQL has nothing of Celery's, and no worker there.
        (fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}), 1, False),
        (fleet(broker=Broker(separate=False)), 1, True),
        (fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}, broker=Broker(separate=False)), 1, True),
        # Results go to Celery's own database, where another broker is named.
        (fleet(broker=Broker(url=Secret("amqp://b"))), 2, False),
        # What a command says may be the metadata database.
        (fleet(broker=Broker(url_command="v", result_backend_command="v")), 1, True),
        (fleet(database=Database(connection_command="v"), broker=Broker(url_command="v")), 1, True),
        (fleet(executor="LocalExecutor", roles={**ROLES_OF_FLEET, "worker": ()}), 1, False),
    ],
)
def test_who_logs_in_where(of: Fleet, logins: int, workers: bool) -> None:
    given = inputs(of, redis_password=Secret("x"))
    found = COMPONENT.machine(given, DB1)[2].resources[0].logins  # type: ignore[attr-defined]
    assert len(found) == logins
    assert ("10.0.0.5" in found[0].addresses) is workers
    # Where workers know the metadata database's password, all roles may connect to it as before.
    airflow = COMPONENT.machine(given, DB1)[3].resources[0]
    assert airflow.private == (given.celery_is_separate and not workers)  # type: ignore[attr-defined]


def test_a_result_backend_in_postgresql_that_is_given_may_be_the_metadata_database() -> None:
    backend = Secret("db+postgresql://me:x@10.0.0.1/airflow")
    redis = {**ROLES_OF_FLEET, "redis": ("db1",)}
    given = inputs(fleet(roles=redis, broker=Broker(result_backend=backend)), result_backend=backend)
    assert "10.0.0.5" in COMPONENT.machine(given, DB1)[2].resources[0].logins[0].addresses  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "made, password, guarded",
    [
        ({"database_password"}, None, True),
        ({"fernet_key"}, None, False),
        (set(), None, False),
        # Asked of a person: it is the one that is wanted.
        ({"database_password"}, Reference("prompt", "database.password", "hosts.yaml:6"), False),
    ],
)
def test_only_a_password_that_was_made_just_now_spares_the_role(
    made: set[str], password: Reference | None, guarded: bool
) -> None:
    given = inputs(fleet(database=Database(password=password)), made=frozenset(made))
    assert COMPONENT.machine(given, DB1)[3].resources[0].made is guarded  # type: ignore[attr-defined]


def test_postgresql_that_is_there_is_not_installed() -> None:
    given = inputs(fleet(database=Database(install=False)))
    packages, server, step, _ = COMPONENT.machine(given, DB1)
    (access,) = step.resources
    assert isinstance(access, PostgresAccess)
    assert packages == Step("database.packages", ())
    # Nor is its unit changed, and it may go on listening elsewhere too.
    assert server.resources == (PostgresServer(5432, access.logins, ("10.0.0.1", "127.0.0.1"), only=False),)


def test_without_the_sandbox_postgresql_still_waits_for_its_address() -> None:
    *_, dropin, _ = COMPONENT.machine(inputs(fleet(database=Database(sandbox=False))), DB1)[1].resources
    assert dropin.content == DROPIN.partition("# Sandbox")[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "host, listen",
    [
        (replace(DB1, listen="0.0.0.0"), ("*",)),
        (replace(DB1, listen="::"), ("::", "127.0.0.1")),
        (replace(DB1, address="db.example.com"), ("*",)),
        (replace(DB1, address="127.0.0.1"), ("127.0.0.1",)),
        (replace(DB1, address="fd00::1"), ("fd00::1", "127.0.0.1")),
        (replace(DB1, listen="10.9.0.1"), ("10.9.0.1", "127.0.0.1")),
    ],
)
def test_it_listens_where_hosts_yaml_says(host: Host, listen: tuple[str, ...]) -> None:
    server = COMPONENT.machine(inputs(), host)[1].resources[-1]
    assert isinstance(server, PostgresServer)
    assert (server.listen, server.only) == (listen, True)


def test_a_database_host_that_runs_airflow_too_may_log_in_itself() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "scheduler": ("db1",)})
    assert "10.0.0.1" in COMPONENT.machine(inputs(of), DB1)[2].resources[0].logins[0].addresses  # type: ignore[attr-defined]


def test_where_only_the_nodes_know_the_password_the_role_is_left_alone() -> None:
    given = inputs(fleet(database=Database(connection_command="vault dsn")), password=None)
    (account,) = COMPONENT.machine(given, DB1)[3].resources
    assert account.password is None  # type: ignore[attr-defined]


# A database that is not ours

NOT_OURS = Database("my db", "me-too", 5433, managed=False, host="pg.example.com")
CONN = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def login(version: str = "3.3.2", of: Database = NOT_OURS, host: str = "web1") -> DatabaseLogin:
    (step,) = database_login(inputs(fleet(version=version, database=of, service="ac")), HOSTS[host])
    assert step.name == "database.login"
    (check,) = step.requires
    assert isinstance(check, DatabaseLogin)
    return check


def test_a_database_of_ours_is_logged_in_to_by_airflow_alone() -> None:
    assert database_login(inputs(), HOSTS["web1"]) == []


def test_every_node_tries_the_login_once_it_has_python_and_credentials() -> None:
    assert login().server == "pg.example.com:5433"
    assert login().needs == "link /opt/aerodrome/ac/venv"


def test_a_worker_of_airflow_3_tries_the_login_only_where_celery_has_it() -> None:
    assert login(host="w1").program == login().program.replace("/ac-webserver ", "/ac-worker ")
    amqp = fleet(database=NOT_OURS, broker=Broker(url=Secret("amqp://b"), result_backend=Secret("redis://r")))
    assert database_login(inputs(amqp), HOSTS["w1"]) == []
    assert len(database_login(inputs(amqp), HOSTS["s1"])) == 1


def test_the_login_is_tried_before_the_credentials_are_written() -> None:
    names = [step.name for step in node(inputs(fleet(database=NOT_OURS)), HOSTS["w1"])]
    assert names[names.index("node.install") :] == [
        "node.install",
        "database.login",
        "node.unit",
        "node.environment",
        "node.dags",
    ]


def test_what_the_administrator_has_to_run_as_a_whole() -> None:
    assert login().grants == (
        "in psql, as a superuser:\n"
        '  CREATE ROLE "me-too" LOGIN;\n'
        '  \\password "me-too"\n'
        '  CREATE DATABASE "my db" OWNER "me-too" TEMPLATE template0 ENCODING \'UTF8\';\n'
        "in pg_hba.conf, before other lines; then SELECT pg_reload_conf();\n"
        '  host "my db" "me-too" 10.0.0.2/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.3/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.4/32 scram-sha-256\n'
        '  host "my db" "me-too" 10.0.0.5/32 scram-sha-256'
    )


@pytest.mark.parametrize("version, variable", [("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"), ("3.3.2", CONN)])
def test_the_login_is_tried_in_the_units_environment_with_what_hosts_yaml_says(version: str, variable: str) -> None:
    head, _, rest = login(version).program.partition("<<'END_OF_FILE'\n")
    assert head == (
        "for venv in /opt/aerodrome/ac/venv /home/astro/airflow-venv; "
        'do [ ! -e "$venv/bin/python" ] || break; done\n'
        'if [ -e "$venv/bin/python" ]; then '
        "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
        "-p EnvironmentFile=-/etc/default/ac.local -p EnvironmentFile=-/etc/default/ac "
        "-p EnvironmentFile=-/etc/default/ac-webserver "
        "-p WorkingDirectory=/ -p UMask=0027 -p RuntimeMaxSec=20 -p TimeoutStopSec=2 "
        '"$venv"/bin/python -I - '
    )
    program = rest.removesuffix("END_OF_FILE\nfi")
    ast.parse(program, feature_version=(3, 6))
    url = inputs(fleet(database=NOT_OURS)).database_url("postgresql").reveal()
    assert parameters(program) == {
        "url": url,
        "command": "",
        "variable": variable,
        "public": ["my db", "me-too", "pg.example.com", "5433", "postgresql"],
    }


# Stands in for psycopg2: knows one URL, and a login that may make no tables.
PSYCOPG2 = """\
class Error(Exception): pass
class OperationalError(Error): pass

class Connection:
    def __init__(self, url): self.url = url
    def cursor(self): return self
    def execute(self, query): assert query == "SELECT has_schema_privilege(current_user, 'public', 'CREATE')"
    def fetchone(self): return ["reader" not in self.url]
    def close(self): pass

def connect(url, connect_timeout):
    assert connect_timeout == 5
    if not url.startswith("postgresql://") or "10.0.0.9" not in url:
        raise OperationalError("could not connect to " + url.split("@", 1)[1] + "\\nIs the server running?")
    return Connection(url)
"""


def tried(sh: Shell, folder: Path, of: Database, driver: str = PSYCOPG2) -> str:
    """Return what the program prints on a host whose environment file has an older login, which would work."""
    (folder / "psycopg2.py").write_text(driver)
    (step,) = database_login(inputs(fleet(database=of), password=Secret("p@ss")), HOSTS["web1"])
    (check,) = step.requires
    assert isinstance(check, DatabaseLogin)
    # As a host that has its environment where the version before had it.
    (folder / "venv/bin").mkdir(parents=True, exist_ok=True)
    (folder / "venv/bin/python").touch()
    program = check.program.replace('"$venv"/bin/python -I -', "python3 -")
    program = program.replace("/home/astro/airflow-venv", f"{folder}/venv")
    script = f"export PYTHONPATH='{folder}' {CONN}=postgresql://u:old@10.0.0.9/d\n{program}"
    done = sh(script, programs={"systemd-run": 'while [ "$1" != python3 ]; do shift; done; exec "$@"'})
    assert done.returncode == 0
    return done.stdout.decode()


@pytest.mark.parametrize(
    "of, answer",
    [
        (Database("d", "u", managed=False, host="10.0.0.9"), "in\n"),
        (
            Database("d", "reader", managed=False, host="10.0.0.9"),
            "the login may make no tables in the schema public\n",
        ),
        (
            Database("d", "u", managed=False, host="10.0.0.8"),
            "OperationalError: could not connect to 10.0.0.8:5432/d\n",
        ),
        # A command of the node, run as Airflow runs it: without a shell, and taken as it is.
        (
            Database(managed=False, host="h", connection_command="printf %s 'postgresql://u:$x y@10.0.0.9/d'"),
            "in\n",
        ),
        (
            Database(managed=False, host="h", connection_command="false"),
            "CalledProcessError: Command '['false']' returned non-zero exit status 1.\n",
        ),
        # A password that is not encoded is taken for the name of a host; libpq quotes it, and we do not.
        (
            Database(managed=False, host="h", connection_command="printf %s postgresql://u:half@secret@10.0.0.8/d"),
            "OperationalError: could not connect to ********@10.0.0.8/d\n",
        ),
    ],
)
def test_the_program_tries_the_login_of_hosts_yaml(sh: Shell, tmp_path: Path, of: Database, answer: str) -> None:
    assert tried(sh, tmp_path, of) == answer


def test_where_there_is_no_environment_or_no_driver_in_it_nothing_is_said(sh: Shell, tmp_path: Path) -> None:
    assert tried(sh, tmp_path, Database("d", "u", managed=False, host="10.0.0.9"), "raise ImportError") == ""
    assert sh(login().program).stdout == b""
