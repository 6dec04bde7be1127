"""Step 1 of the guide: PostgreSQL with a role, its database, and access for the fleet's nodes."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.checks.access import AccessLeft
from aerodrome.checks.left import Left
from aerodrome.checks.ports import FreePort
from aerodrome.components.backups import secrets_host
from aerodrome.components.component import Component
from aerodrome.components.health import Health, read_service, service_probe, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.components.login import clients, is_client
from aerodrome.components.network import EVERYWHERE, listens, own_address
from aerodrome.components.scheduled import BackupAge, no_schedule, schedule
from aerodrome.core.check import Check, Watch
from aerodrome.core.resource import Resource
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Database as Section
from aerodrome.fleet.model import Host
from aerodrome.fleet.role import KeyPort, Sections, Version
from aerodrome.render import render_parts
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import LOOPBACK, Login, PostgresAccount, PostgresServer, literal, sql
from aerodrome.resources.postgres_access import AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import DEBIAN, OTHERS, PostgresDropin
from aerodrome.resources.scratch import scratch_logins

UNIT = "postgresql.service"


def _server(inputs: Inputs, host: Host) -> tuple[Resource, ...]:
    """Return the server; if it existed before, its unit and other addresses belong to the operator."""
    settings, address = inputs.fleet.database, listens(host)
    listen = ("*",) if address == EVERYWHERE else tuple(dict.fromkeys((address, LOOPBACK)))
    server = PostgresServer(settings.port, _logins(inputs), listen, only=settings.install)
    if not settings.install:
        return (server,)
    own = own_address("PostgreSQL", host)
    awaited = own[0].find() if own else ""
    parts = {
        "postgresql/head.conf.in": True,
        "postgresql/awaited.conf.in": bool(awaited),
        "postgresql/sandbox.conf.in": settings.sandbox,
    }
    return PostgresDropin(render_parts(parts, awaited=awaited)), server


def _reachable(inputs: Inputs, host: Host) -> tuple[Check, ...]:
    """Return the checks of the server's address and port."""
    own = own_address("PostgreSQL", host) if inputs.fleet.database.install else ()
    # Units are named differently by each distribution.
    return (*own, FreePort(inputs.fleet.database.port, "postgresql*.service", "database.port"))


def _accounts(inputs: Inputs, logins: tuple[Login, ...]) -> tuple[Resource, ...]:
    settings, salt = inputs.fleet.database, inputs.salt
    # If workers know its password anyway, all roles may connect to the metadata database as before.
    private = inputs.celery_is_separate and not inputs.workers_may_use_database
    made = "database_password" in inputs.made and settings.password is None
    airflow = PostgresAccount(settings.user, inputs.password, settings.name, salt, made, private, logins)
    if not inputs.celery_has_database:
        return (airflow,)
    user, database, made = inputs.celery_user, inputs.celery_database, "celery_password" in inputs.made
    return airflow, PostgresAccount(user, inputs.celery_password, database, salt, made, True, logins)


def _logins(inputs: Inputs) -> tuple[Login, ...]:
    """Return who may log in, to which database, and from where."""
    settings = inputs.fleet.database
    airflow = Login(settings.user, settings.name, clients(inputs))
    scratch = scratch_logins(settings.user, secrets_host(inputs.fleet).address)
    if not inputs.celery_has_database:
        return (airflow, *scratch)
    nodes = [node for node in inputs.fleet.nodes() if any(role.uses_celery for role in inputs.roles_on(node))]
    celery = Login(inputs.celery_user, inputs.celery_database, tuple(node.address for node in nodes))
    return (airflow, celery, *scratch)


def _leaving(inputs: Inputs) -> tuple[str, ...]:
    """Return lines that may once have let nodes log in and are no longer needed, anywhere in pg_hba.conf."""
    settings, nodes = inputs.fleet.database, inputs.fleet.nodes()
    others = tuple(node.address for node in nodes if not is_client(inputs, node))
    lines = Login(settings.user, settings.name, others).lines()
    if inputs.celery_has_database or not inputs.catalogue.secrets_differ:
        return lines
    celery = Login(inputs.celery_user, inputs.celery_database, tuple(node.address for node in nodes))
    return (*lines, *celery.lines())


@dataclass(frozen=True)
class DatabaseHealth:
    """PostgreSQL answers on its host."""

    inputs: Inputs
    host: Host

    @property
    def key(self) -> str:
        return "health of PostgreSQL"

    def probe(self) -> str:
        """Return sh that prints the state of PostgreSQL's unit, its version and the sessions of our user."""
        celery = [self.inputs.celery_user] if self.inputs.celery_has_database else []
        names = ", ".join(map(literal, [self.inputs.fleet.database.user, *celery]))
        query = (
            "SELECT current_setting('server_version'), "
            f"(SELECT count(*) FROM pg_stat_activity WHERE usename IN ({names})), "
            "current_setting('max_connections'), extract(epoch FROM pg_postmaster_start_time())::bigint;"
        )
        return service_probe(UNIT, sql(query))

    def judge(self, answer: str) -> list[Health]:
        state, now, row = read_service(answer)
        why = "PostgreSQL does not answer"
        seen = Health("database", "failed", why, host=self.host.name, unit=UNIT, state=state, now=now)
        if row.count("|") != 3:
            return [seen]
        version, sessions, limit, started = row.strip().split("|")
        state = replace(state, started=int(started))
        detail = f"answers, {sessions} of {limit} connections are Airflow's"
        return [replace(seen, verdict="ok", detail=detail, state=state, version=version.split()[0])]

    def unknown(self, why: str) -> list[Health]:
        return [unreachable(self.host.name, "database", why)]


class Database(Component):
    """Holds Airflow's metadata, and Celery's data unless that is elsewhere."""

    name, place, single = "database", 10, True

    def needed(self, found: Sections) -> bool:
        return bool(found["database"].get("managed", True))

    def ports(self, executor: str, version: Version) -> tuple[KeyPort, ...]:
        return (KeyPort("PostgreSQL", "database", "port", Section.port),)

    def unit(self, inputs: Inputs) -> str:
        return "postgresql*"

    def machine(self, inputs: Inputs, host: Host) -> list[Step]:
        settings = inputs.fleet.database
        packages: tuple[Resource, ...] = ()
        if settings.install:
            packages = (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)
        logins = _logins(inputs)
        return [
            Step("database.packages", packages),
            Step("database.server", _server(inputs, host), _reachable(inputs, host)),
            Step("database.access", (PostgresAccess(logins),), (AccessLeft(logins, _leaving(inputs), inputs.whole),)),
            Step("database.account", _accounts(inputs, logins)),
            schedule(inputs),
        ]

    def afterwards(self, inputs: Inputs) -> list[Step]:
        return [Step("database.closed", (AccessClosed(_logins(inputs)),))]

    def watches(self, inputs: Inputs, host: Host) -> list[Watch]:
        health: list[Watch] = [DatabaseHealth(inputs, host)]
        return [*health, BackupAge(inputs, host)] if inputs.fleet.backup.schedule else health

    def gone(self, inputs: Inputs) -> list[Step]:
        return [Step("retire.backup", (no_schedule(inputs),))]

    def left(self, inputs: Inputs) -> tuple[Left, ...]:
        units, data = (DEBIAN, OTHERS), "all of its databases"
        return (Left("PostgreSQL", self.name, units, self.unit(inputs), "postgresql", data),)


COMPONENT = Database()
