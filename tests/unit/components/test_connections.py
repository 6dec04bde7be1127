"""The URLs of the database and the broker, or the commands on the nodes that print them."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.components.environment import commands, environment, mask_environment, render_variables, role_environment
from aerodrome.components.inputs import Inputs
from aerodrome.fleet.model import Broker, Database
from aerodrome.secrets import Secret
from tests.unit.components.environment_file import PASSWORD, WEB1
from tests.unit.make import AWKWARD, ROLES_OF_FLEET, fleet, inputs

CONN, BROKER, RESULTS = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
)


def connections(given: Inputs) -> dict[str, str]:
    """Return the variables for the database, the broker and the Fernet key."""
    parts = ("SQL_ALCHEMY_CONN", "BROKER_URL", "RESULT_BACKEND", "FERNET_KEY")
    found = {**environment(given, WEB1), **role_environment(given, WEB1, "scheduler")}.items()
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in found
        if any(part in name for part in parts)
    }


def test_redis_is_the_broker_where_a_host_has_that_role() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}, broker=Broker(port=6380))
    found = connections(inputs(of, redis_password=Secret(AWKWARD)))
    assert found[BROKER] == found[RESULTS] == f"redis://:{PASSWORD}@10.0.0.5:6380/0"


@pytest.mark.parametrize("given", [{"version": "2.11.2"}, {"version": "3.3.2", "separate": False}])
def test_results_stay_in_the_metadata_database_where_workers_know_it(given: dict[str, Any]) -> None:
    broker = Broker(separate=given.pop("separate", True))
    redis = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}, broker=broker, **given)
    found = connections(inputs(redis, redis_password=Secret("x")))
    assert found[RESULTS] == f"db+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow"
    found = connections(inputs(fleet(broker=broker, **given)))
    assert found[BROKER] == f"sqla+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow"


def test_a_broker_by_url_is_taken_as_it_is() -> None:
    found = connections(inputs(broker_url=Secret("amqp://u:p@b:5672/v"), result_backend=Secret("redis://r/1")))
    assert (found[BROKER], found[RESULTS]) == ("amqp://u:p@b:5672/v", "redis://r/1")
    for name in (BROKER, RESULTS):
        assert isinstance(role_environment(inputs(broker_url=Secret("a://b")), WEB1, "worker")[name], Secret)


def test_the_url_of_a_database_that_is_not_ours() -> None:
    database = Database("my db", "me", 5433, managed=False, host="2001:db8::9")
    found = connections(inputs(fleet(database=database, roles={**ROLES_OF_FLEET, "database": ()})))
    assert found[CONN] == f"postgresql+psycopg2://me:{PASSWORD}@[2001:db8::9]:5433/my%20db"
    assert found[BROKER] == f"sqla+postgresql://me:{PASSWORD}@[2001:db8::9]:5433/my%20db"


COMMANDS: dict[str, Any] = {
    "database": Database(connection_command="vault kv get -field=dsn secret/airflow-db"),
    "broker": Broker(url_command="vault broker", result_backend_command="vault 'the results'"),
    "fernet_key_command": "vault fernet",
}


@pytest.mark.parametrize(
    "version, conn",
    [
        ("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.11.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("3.3.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
    ],
)
def test_where_commands_give_the_secrets_none_is_in_the_file(version: str, conn: str) -> None:
    given = inputs(fleet(version=version, **COMMANDS), password=None, fernet_key=None)
    wanted = {
        "AIRFLOW__CORE__FERNET_KEY_CMD": "vault fernet",
        f"{conn}_CMD": "vault kv get -field=dsn secret/airflow-db",
        "AIRFLOW__CELERY__BROKER_URL_CMD": "vault broker",
        "AIRFLOW__CELERY__RESULT_BACKEND_CMD": "vault 'the results'",
    }
    assert connections(given) == commands(given) == wanted
    text = render_variables({**environment(given, WEB1), **role_environment(given, WEB1, "scheduler")})
    assert "AIRFLOW__CELERY__RESULT_BACKEND_CMD=\"vault 'the results'\"\n" in text
    assert PASSWORD not in text


def test_a_command_is_no_secret_and_is_shown() -> None:
    variables = role_environment(inputs(fleet(**COMMANDS), password=None, fernet_key=None), WEB1, "webserver")
    shown = mask_environment(variables, render_variables(variables))
    assert f'{CONN}_CMD="vault kv get -field=dsn secret/airflow-db"\n' in shown


def test_a_command_wins_over_the_password_that_setup_db_needs() -> None:
    of = fleet(database=Database(connection_command="vault", password=Secret("x")), broker=Broker(url=Secret("a://b")))
    found = connections(inputs(of, broker_url=Secret("a://b")))
    assert (found[f"{CONN}_CMD"], found.get(CONN)) == ("vault", None)
    # Airflow derives it from the database's URL, which nobody else should know.
    assert RESULTS not in found


def test_commands_of_nothing_are_none() -> None:
    assert commands(inputs()) == {}
