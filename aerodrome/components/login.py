"""Clients of the metadata database, and each node's login if the database is managed elsewhere."""

from __future__ import annotations

from aerodrome.checks.login import DatabaseLogin
from aerodrome.components.command import PATIENCE, connection
from aerodrome.components.inputs import Inputs
from aerodrome.components.version import installation, python_in_use
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.resources.postgres import Login, identifier


def clients(inputs: Inputs) -> tuple[str, ...]:
    """Return the addresses of the nodes that log in to the metadata database."""
    return tuple(node.address for node in inputs.fleet.nodes() if is_client(inputs, node))


def is_client(inputs: Inputs, node: Host) -> bool:
    """Tell whether a node logs in to the metadata database, for Airflow or for Celery."""
    if any(map(inputs.uses_database, inputs.roles(node))):
        return True
    return inputs.workers_may_use_database and any(role.uses_celery for role in inputs.roles_on(node))


def database_login(inputs: Inputs, host: Host) -> list[Step]:
    """Return the check of a node's login to a database managed elsewhere.

    Return nothing if the database is managed here, or if the node needs no login. The check tries the login in
    hosts.yaml, not the one in the node's environment file.
    """
    settings = inputs.fleet.database
    celery = inputs.celery_shares_database and any(role.uses_celery for role in inputs.roles_on(host))
    if settings.managed or not (celery or any(map(inputs.uses_database, inputs.roles(host)))):
        return []
    command = settings.connection_command
    url = "" if command else inputs.database_url("postgresql").reveal()
    text = program("login", url=url, command=command or "", **connection(inputs))
    # Without an environment, there is nothing to start. The URL is part of the program, on stdin.
    login = python_in_use(inputs, text, inputs.role_for_commands(host), PATIENCE)
    tries = f'{installation(inputs).find()}\nif [ -e "$venv/bin/python" ]; then {login}\nfi'
    server = f"{inputs.database_host}:{settings.port}"
    return [Step("database.login", (), (DatabaseLogin(server, tries, f"link {inputs.venv}", _grants(inputs)),))]


def _grants(inputs: Inputs) -> str:
    """Return the statements that the administrator of an external database has to run; psql asks for the password."""
    settings = inputs.fleet.database
    user, name = identifier(settings.user), identifier(settings.name)
    access = Login(settings.user, settings.name, clients(inputs))
    lines = [
        "in psql, as a superuser:",
        f"  CREATE ROLE {user} LOGIN;",
        f"  \\password {user}",
        f"  CREATE DATABASE {name} OWNER {user} TEMPLATE template0 ENCODING 'UTF8';",
        "in pg_hba.conf, before other lines; then SELECT pg_reload_conf();",
        *(f"  {line}" for line in access.lines()),
    ]
    return "\n".join(lines)
