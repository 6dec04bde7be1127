"""What a database host is made of."""

from __future__ import annotations

from aerodrome.blueprint.database import database
from aerodrome.blueprint.step import Step
from aerodrome.fleet import Database
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import PostgresAccess, PostgresAccount, PostgresServer
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, ROLES_OF_FLEET, fleet, inputs

NODES = ("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")


def test_a_database_host_as_a_whole() -> None:
    given = inputs(fleet(database=Database("meta", "me", 5433)))
    assert database(given) == [
        Step("database.packages", (Packages(apt=("postgresql",), dnf=("postgresql-server",)),)),
        Step("database.server", (PostgresServer(5433),)),
        Step("database.access", (PostgresAccess("meta", "me", NODES),)),
        Step("database.account", (PostgresAccount("me", Secret(AWKWARD), "meta", bytes(range(16))),)),
    ]


def test_postgresql_that_is_there_is_not_installed() -> None:
    given = inputs(fleet(database=Database(install=False)))
    assert database(given)[0] == Step("database.packages", ())


def test_a_database_host_that_runs_airflow_too_may_log_in_itself() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "scheduler": ("db1",)})
    assert "10.0.0.1" in database(inputs(of))[2].resources[0].addresses  # type: ignore[attr-defined]
