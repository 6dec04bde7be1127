"""Step 1 of the guide: PostgreSQL with a role, its database, and access for the fleet's nodes."""

from __future__ import annotations

from aerodrome.blueprint.airflow import connection
from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.network import EVERYWHERE, listens, own_address
from aerodrome.blueprint.ports import database_port
from aerodrome.blueprint.step import Step
from aerodrome.blueprint.version import installation, python_in_use
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.resources.base import Resource
from aerodrome.resources.login import DatabaseLogin
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import PostgresAccess, PostgresAccount, PostgresServer, identifier
from aerodrome.resources.postgres_unit import PostgresDropin


def database(inputs: Inputs, host: Host) -> list[Step]:
    """Return what a host of the role `database` is made of."""
    fleet, settings = inputs.fleet, inputs.fleet.database
    packages: tuple[Resource, ...] = ()
    if settings.install:
        packages = (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)
    made = "database_password" in inputs.made and settings.password is None
    addresses = tuple(node.address for node in fleet.nodes())
    return [
        Step("database.packages", packages),
        Step("database.server", _server(inputs, host)),
        Step("database.access", (PostgresAccess(settings.name, settings.user, addresses),)),
        Step(
            "database.account",
            (PostgresAccount(settings.user, inputs.password, settings.name, inputs.salt, made),),
        ),
    ]


def _server(inputs: Inputs, host: Host) -> tuple[Resource, ...]:
    """Return the server; of one that was there already, the unit and other addresses are the operator's."""
    settings, address = inputs.fleet.database, listens(host)
    local = "127.0.0.1"  # for what else runs on its host
    listen = ("*",) if address == EVERYWHERE else tuple(dict.fromkeys((address, local)))
    server = PostgresServer(settings.port, settings.user, settings.name, listen, only=settings.install)
    port = database_port(inputs)
    if not settings.install:
        return (port, server)
    own = own_address("PostgreSQL", host)
    awaited = own[0].find() if own else ""
    dropin = PostgresDropin(render("postgresql.conf.j2", awaited=awaited, sandbox=settings.sandbox))
    return (*own, port, dropin, server)


def database_login(inputs: Inputs) -> list[Step]:
    """Return the login of a node to a database that somebody else runs; nothing where it is ours.

    What hosts.yaml says is tried, not what is in the node's environment file.
    """
    settings = inputs.fleet.database
    if settings.managed:
        return []
    command = settings.connection_command
    url = "" if command else inputs.database_url("postgresql").reveal()
    text = render("login.py.j2", url=repr(url), command=repr(command), **connection(inputs))
    # Where there is no environment yet, there is nothing to start. The URL comes in the program, on stdin.
    program = f'{installation(inputs).find()}\nif [ -e "$venv/bin/python" ]; then {python_in_use(inputs, text)}\nfi'
    server = f"{inputs.database_host}:{settings.port}"
    return [Step("database.login", (DatabaseLogin(server, program, f"link {inputs.venv}", _grants(inputs)),))]


def _grants(inputs: Inputs) -> str:
    """Return what the administrator of a database that is not ours has to run; the password is asked there."""
    settings = inputs.fleet.database
    user, name = identifier(settings.user), identifier(settings.name)
    access = PostgresAccess(settings.name, settings.user, tuple(node.address for node in inputs.fleet.nodes()))
    lines = [
        "in psql, as a superuser:",
        f"  CREATE ROLE {user} LOGIN;",
        f"  \\password {user}",
        f"  CREATE DATABASE {name} OWNER {user} TEMPLATE template0 ENCODING 'UTF8';",
        "in pg_hba.conf, before other lines; then SELECT pg_reload_conf();",
        *(f"  {line}" for line in access.lines()),
    ]
    return "\n".join(lines)
