"""Step 1 of the guide: PostgreSQL with a role, its database, and access for the fleet's nodes."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.checks.login import DatabaseLogin
from aerodrome.components.command import PATIENCE, connection
from aerodrome.components.health import Health, read_service, service_probe, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import EVERYWHERE, listens, own_address
from aerodrome.components.ports import database_port
from aerodrome.components.version import installation, python_in_use
from aerodrome.core.check import Check
from aerodrome.core.resource import Resource
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.render import render
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import Login, PostgresAccount, PostgresServer, identifier, literal, sql
from aerodrome.resources.postgres_access import AccessClosed, PostgresAccess
from aerodrome.resources.postgres_unit import PostgresDropin

UNIT = "postgresql.service"


def database(inputs: Inputs, host: Host) -> list[Step]:
    """Return what a host of the role `database` is made of."""
    settings = inputs.fleet.database
    packages: tuple[Resource, ...] = ()
    if settings.install:
        packages = (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)
    logins = _logins(inputs)
    return [
        Step("database.packages", packages),
        Step("database.server", _server(inputs, host), _reachable(inputs, host)),
        Step("database.access", (PostgresAccess(logins, _leaving(inputs)),)),
        Step("database.account", _accounts(inputs, logins)),
    ]


def _server(inputs: Inputs, host: Host) -> tuple[Resource, ...]:
    """Return the server; of one that was there already, the unit and other addresses are the operator's."""
    settings, address = inputs.fleet.database, listens(host)
    local = "127.0.0.1"  # for what else runs on its host
    listen = ("*",) if address == EVERYWHERE else tuple(dict.fromkeys((address, local)))
    server = PostgresServer(settings.port, _logins(inputs), listen, only=settings.install)
    if not settings.install:
        return (server,)
    own = own_address("PostgreSQL", host)
    awaited = own[0].find() if own else ""
    return PostgresDropin(render("postgresql.conf.j2", awaited=awaited, sandbox=settings.sandbox)), server


def _reachable(inputs: Inputs, host: Host) -> tuple[Check, ...]:
    """Return what must hold of the address and port on which the server is to listen."""
    own = own_address("PostgreSQL", host) if inputs.fleet.database.install else ()
    return (*own, database_port(inputs))


def closed(inputs: Inputs) -> list[Step]:
    """Return what is left to do on the database's host once all units run with what hosts.yaml says."""
    leaving = _leaving(inputs)
    return [Step("database.closed", (AccessClosed(_logins(inputs), leaving),))] if leaving else []


def _accounts(inputs: Inputs, logins: tuple[Login, ...]) -> tuple[Resource, ...]:
    settings, salt = inputs.fleet.database, inputs.salt
    # Where workers know its password anyway, all roles may connect to the metadata database as before.
    private = inputs.celery_is_separate and not inputs.workers_may_use_database
    made = "database_password" in inputs.made and settings.password is None
    airflow = PostgresAccount(settings.user, inputs.password, settings.name, salt, made, private, logins)
    if not inputs.celery_has_database:
        return (airflow,)
    user, database, made = inputs.celery_user, inputs.celery_database, "celery_password" in inputs.made
    return airflow, PostgresAccount(user, inputs.celery_password, database, salt, made, True, logins)


def _logins(inputs: Inputs) -> tuple[Login, ...]:
    """Return who may log in, to which database and from where."""
    settings = inputs.fleet.database
    airflow = Login(settings.user, settings.name, _clients(inputs))
    if not inputs.celery_has_database:
        return (airflow,)
    nodes = [node for node in inputs.fleet.nodes() if {"scheduler", "worker"} & set(inputs.roles(node))]
    return airflow, Login(inputs.celery_user, inputs.celery_database, tuple(node.address for node in nodes))


def _clients(inputs: Inputs) -> tuple[str, ...]:
    """Return the addresses of the nodes that log in to the metadata database."""
    return tuple(node.address for node in inputs.fleet.nodes() if _is_client(inputs, node))


def _is_client(inputs: Inputs, node: Host) -> bool:
    roles = inputs.roles(node)
    return any(map(inputs.uses_database, roles)) or ("worker" in roles and inputs.workers_may_use_database)


def _leaving(inputs: Inputs) -> tuple[str, ...]:
    """Return the lines of pg_hba.conf by which nodes once logged in that no longer need to."""
    settings, nodes = inputs.fleet.database, inputs.fleet.nodes()
    others = tuple(node.address for node in nodes if not _is_client(inputs, node))
    lines = Login(settings.user, settings.name, others).lines()
    if inputs.celery_has_database or not inputs.catalogue.needs:
        return lines
    # Broker or results may have been in Celery's own database until now: what runs needs it until it has halted.
    celery = Login(inputs.celery_user, inputs.celery_database, tuple(node.address for node in nodes))
    return (*lines, *celery.lines())


def database_login(inputs: Inputs, host: Host) -> list[Step]:
    """Return the login of a node to a database that somebody else runs; nothing where it is ours, or not used.

    What hosts.yaml says is tried, not what is in the node's environment file.
    """
    settings, roles = inputs.fleet.database, inputs.roles(host)
    uses = any(map(inputs.uses_database, roles)) or ("worker" in roles and inputs.celery_shares_database)
    if settings.managed or not uses:
        return []
    command = settings.connection_command
    url = "" if command else inputs.database_url("postgresql").reveal()
    text = program("login", url=url, command=command or "", **connection(inputs))
    # Where there is no environment yet, there is nothing to start. The URL comes in the program, on stdin.
    login = python_in_use(inputs, text, inputs.role_for_commands(host), PATIENCE)
    tries = f'{installation(inputs).find()}\nif [ -e "$venv/bin/python" ]; then {login}\nfi'
    server = f"{inputs.database_host}:{settings.port}"
    return [Step("database.login", (), (DatabaseLogin(server, tries, f"link {inputs.venv}", _grants(inputs)),))]


def _grants(inputs: Inputs) -> str:
    """Return what the administrator of a database that is not ours has to run; the password is asked there."""
    settings = inputs.fleet.database
    user, name = identifier(settings.user), identifier(settings.name)
    access = Login(settings.user, settings.name, _clients(inputs))
    lines = [
        "in psql, as a superuser:",
        f"  CREATE ROLE {user} LOGIN;",
        f"  \\password {user}",
        f"  CREATE DATABASE {name} OWNER {user} TEMPLATE template0 ENCODING 'UTF8';",
        "in pg_hba.conf, before other lines; then SELECT pg_reload_conf();",
        *(f"  {line}" for line in access.lines()),
    ]
    return "\n".join(lines)


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
