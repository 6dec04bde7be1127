"""Back up the metadata database."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.backups import backed_up
from aerodrome.components.inputs import Inputs
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Fleet, Host


def database_host(fleet: Fleet) -> Host:
    """Return the host of the metadata database; InvalidInput if it is managed elsewhere."""
    if not fleet.database.managed:
        raise InvalidInput(
            f"{fleet.source}: database.managed is false, so whoever manages the database has to back it up",
            "fab backup works with a database on a host with the role database",
        )
    return fleet.with_role("database")[0]


def backup(
    inputs: Inputs, hosts: Collection[str], roles: Collection[str], name: str = "", airflow: str = ""
) -> Runbook:
    """Back up the metadata database under this name; `airflow` is the version that uses it."""
    host = database_host(inputs.fleet)
    steps = {host.name: [backed_up(inputs, name, airflow)]}
    return Runbook("backup", tuple(only([Stage("backup", steps, {})], hosts)))
