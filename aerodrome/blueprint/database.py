"""Step 1 of the guide: PostgreSQL with a role, its database, and access for the fleet's nodes."""

from __future__ import annotations

from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.step import Step
from aerodrome.resources.base import Resource
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import PostgresAccess, PostgresAccount, PostgresServer


def database(inputs: Inputs) -> list[Step]:
    """Return what a host of the role `database` is made of."""
    fleet, settings = inputs.fleet, inputs.fleet.database
    packages: tuple[Resource, ...] = ()
    if settings.install:
        packages = (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)
    made = "database_password" in inputs.made and settings.password is None
    addresses = tuple(node.address for node in fleet.nodes())
    return [
        Step("database.packages", packages),
        Step("database.server", (PostgresServer(settings.port),)),
        Step("database.access", (PostgresAccess(settings.name, settings.user, addresses),)),
        Step(
            "database.account",
            (PostgresAccount(settings.user, inputs.password, settings.name, inputs.salt, made),),
        ),
    ]
