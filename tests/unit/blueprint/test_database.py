"""What a database host is made of."""

from __future__ import annotations

import pytest

from aerodrome.blueprint.database import database
from aerodrome.blueprint.step import Step
from aerodrome.fleet import Database
from aerodrome.resources.packages import Packages
from aerodrome.resources.postgres import PostgresAccess, PostgresAccount, PostgresServer
from aerodrome.secrets import Reference, Secret
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
    assert database(given)[3].resources[0].made is guarded  # type: ignore[attr-defined]


def test_postgresql_that_is_there_is_not_installed() -> None:
    given = inputs(fleet(database=Database(install=False)))
    assert database(given)[0] == Step("database.packages", ())


def test_a_database_host_that_runs_airflow_too_may_log_in_itself() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "scheduler": ("db1",)})
    assert "10.0.0.1" in database(inputs(of))[2].resources[0].addresses  # type: ignore[attr-defined]
