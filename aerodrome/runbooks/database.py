"""Set up the metadata database."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.inputs import Inputs
from aerodrome.components.login import database_login
from aerodrome.components.roles.database import COMPONENT
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only


def setup_database(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Set up PostgreSQL or, if it is managed elsewhere, test the login from each node."""
    fleet = inputs.fleet
    if fleet.database.managed:
        steps = {host.name: COMPONENT.machine(inputs, host) for host in fleet.with_role("database")}
    else:
        steps = {host.name: database_login(inputs, host) for host in fleet.nodes()}
    return Runbook("setup-db", tuple(only([Stage("database", steps, {})], hosts)))
