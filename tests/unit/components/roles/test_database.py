"""The metadata database: the steps of its host, and its health."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.access import AccessLeft
from aerodrome.checks.address import OwnAddress
from aerodrome.checks.ports import FreePort
from aerodrome.components.health import (
    Health,
)
from aerodrome.components.roles.database import COMPONENT, DatabaseHealth
from aerodrome.components.scheduled import BackupAge, schedule
from aerodrome.core.step import Step
from aerodrome.fleet.model import Backup, Broker, Database, Fleet, Host
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import Login, PostgresAccount, PostgresServer
from aerodrome.resources.postgres_access import AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import PostgresDropin
from aerodrome.resources.scratch import scratch_logins
from aerodrome.resources.systemd import UnitState, show
from aerodrome.secrets import Reference, Secret
from tests.unit.components.look import NOW, UNIT
from tests.unit.make import AWKWARD, HOSTS, ROLES_OF_FLEET, fleet, inputs

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
    logins = (Login("me", "meta", NODES), *scratch_logins("me", "10.0.0.2"))
    assert COMPONENT.machine(given, DB1) == [
        Step("database.packages", (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)),
        Step(
            "database.server",
            (PostgresDropin(DROPIN), PostgresServer(5433, logins, ("10.0.0.1", "127.0.0.1"))),
            (OwnAddress("PostgreSQL", "db1", "10.0.0.1"), FreePort(5433, "postgresql*.service", "database.port")),
        ),
        Step("database.access", (PostgresAccess(logins),), (AccessLeft(logins),)),
        Step("database.account", (PostgresAccount("me", Secret(AWKWARD), "meta", salt, logins=logins),)),
        schedule(given),
    ]
    assert COMPONENT.afterwards(given) == [Step("database.closed", (AccessClosed(logins),))]


SEPARATE = (
    Login("me", "meta", ("10.0.0.2", "10.0.0.3")),
    Login("me_celery", "meta_celery", ("10.0.0.2", "10.0.0.4", "10.0.0.5")),
    *scratch_logins("me", "10.0.0.2"),
)


WORKERS = tuple(f'host "meta" "me" 10.0.0.{number}/32 scram-sha-256' for number in (4, 5))


def test_from_airflow_3_celery_has_a_database_and_a_login_of_its_own() -> None:
    given, salt = inputs(fleet(database=Database("meta", "me", 5433))), bytes(range(16))
    celery = Secret("celery-secret")
    _, server, access, accounts, _ = COMPONENT.machine(given, DB1)
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
        # Broker and results in Redis: PostgreSQL holds nothing of Celery's and lets no worker in.
        (fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}), 1, False),
        (fleet(broker=Broker(separate=False)), 1, True),
        (fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}, broker=Broker(separate=False)), 1, True),
        # Results go to Celery's own database if another broker is named.
        (fleet(broker=Broker(url=Secret("amqp://b"))), 2, False),
        # The output of a command may name the metadata database.
        (fleet(broker=Broker(url_command="v", result_backend_command="v")), 1, True),
        (fleet(database=Database(connection_command="v"), broker=Broker(url_command="v")), 1, True),
        (fleet(executor="LocalExecutor", roles={**ROLES_OF_FLEET, "worker": ()}), 1, False),
    ],
)
def test_who_logs_in_where(of: Fleet, logins: int, workers: bool) -> None:
    given = inputs(of, redis_password=Secret("x"))
    found = COMPONENT.machine(given, DB1)[2].resources[0].logins  # type: ignore[attr-defined]
    assert found[logins:] == scratch_logins("airflow", "10.0.0.2")
    assert ("10.0.0.5" in found[0].addresses) is workers
    # If workers know the metadata database's password, all roles may connect to it as before.
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
        # Given by a person, so it is the wanted one.
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
    packages, server, step, *_ = COMPONENT.machine(given, DB1)
    (access,) = step.resources
    assert isinstance(access, PostgresAccess)
    assert packages == Step("database.packages", ())
    # Its unit is not changed either, and it may also continue to listen elsewhere.
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


DATABASE_UNIT = UNIT.replace("=running", "=exited").replace("21:14:23", "21:07:29")


def test_the_script_for_the_database_as_a_whole() -> None:
    script = DatabaseHealth(inputs(fleet(database=Database(user="me-too"))), HOSTS["db1"]).probe()
    assert script == (
        "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "umask 022\n"
        "cd /\n"
        "date +%s\n"
        f"{show('postgresql.service')}\n"
        "echo\n"
        "runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d postgres <<'END_OF_FILE'\n"
        "SELECT current_setting('server_version'), "
        "(SELECT count(*) FROM pg_stat_activity WHERE usename IN ('me-too', 'me-too_celery')), "
        "current_setting('max_connections'), extract(epoch FROM pg_postmaster_start_time())::bigint;\n"
        "END_OF_FILE\n"
    )


def test_a_database_that_answers() -> None:
    row = "15.18 (Debian 15.18-0+deb12u1)|7|100|1795381650\n"
    (health,) = DatabaseHealth(inputs(), HOSTS["db1"]).judge(f"{NOW}\n{DATABASE_UNIT}\n{row}")
    state = replace(UnitState.parse(DATABASE_UNIT), started=1795381650)
    assert health == Health(
        "database",
        "ok",
        "answers, 7 of 100 connections are Airflow's",
        unit="postgresql.service",
        state=state,
        now=NOW,
        version="15.18",
        host="db1",
    )


@pytest.mark.parametrize("text", ["", f"{NOW}\n{DATABASE_UNIT}\n", "no number\n"])
def test_a_database_that_does_not(text: str) -> None:
    (health,) = DatabaseHealth(inputs(), HOSTS["db1"]).judge(text)
    assert (health.verdict, health.detail) == ("failed", "PostgreSQL does not answer")


def test_the_age_of_backups_is_watched_where_there_is_a_schedule() -> None:
    assert COMPONENT.watches(inputs(), DB1) == [DatabaseHealth(inputs(), DB1)]
    given = inputs(replace(fleet(), backup=Backup(schedule="03:00")))
    assert COMPONENT.watches(given, DB1) == [DatabaseHealth(given, DB1), BackupAge(given, DB1)]
