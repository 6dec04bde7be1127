"""Names and paths that follow from hosts.yaml."""

from __future__ import annotations

import pytest

from aerodrome.components.inputs import Settings
from aerodrome.fleet.model import Broker, Database, Fleet, Host
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, HOSTS, ROLES_OF_FLEET, fleet, inputs


def test_the_guides_names_and_paths() -> None:
    given = inputs(fleet(service="astronomer-certified"))
    assert given.user_home == "/home/astro"
    assert given.venv == "/opt/aerodrome/astronomer-certified/venv"
    assert given.guide_venv == "/home/astro/airflow-venv"
    assert given.unit_file == "/etc/systemd/system/astronomer-certified@.service"
    assert given.environment_file == "/etc/default/astronomer-certified"
    assert given.kept_file == "/etc/default/astronomer-certified.local"
    assert given.role_file("dag-processor") == "/etc/default/astronomer-certified-dag-processor"
    assert given.unit("scheduler") == "astronomer-certified@scheduler.service"


def test_the_web_server_is_the_first_one() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "webserver": ("w1", "web1")}, web_port=8081)
    assert inputs(of).web_url == "http://10.0.0.4:8081"


def test_roles_of_a_host_in_the_order_in_which_they_start() -> None:
    assert inputs().roles(HOSTS["s1"]) == ["scheduler", "dag-processor", "triggerer"]
    assert inputs().roles(HOSTS["db1"]) == []
    assert inputs(fleet(version="1.10.10")).roles(HOSTS["s1"]) == ["scheduler"]


def test_plain_variables_win_over_settings() -> None:
    settings = Settings({"AIRFLOW__A__B": "1"}, {"a": {"b": "2", "c": "3"}, "d": {}})
    named = settings.variables(lambda section, key: f"AIRFLOW__{section.upper()}__{key.upper()}")
    assert named == {"AIRFLOW__A__B": "1", "AIRFLOW__A__C": "3"}


def test_the_database_is_where_its_role_is_or_where_the_operator_says() -> None:
    assert inputs().database_host == "10.0.0.1"
    assert inputs(fleet(database=Database(managed=False, host="pg.example.com"))).database_host == "pg.example.com"


@pytest.mark.parametrize(
    "of, is_postgres",
    [
        (fleet(), True),
        (fleet(executor="LocalExecutor"), False),
        (fleet(roles={**ROLES_OF_FLEET, "redis": ("w1",)}), False),
        (fleet(broker=Broker(url=Secret("amqp://b"))), False),
        (fleet(broker=Broker(url_command="v")), False),
        (fleet(broker=Broker(result_backend_command="v")), True),
    ],
)
def test_the_broker_is_postgresql_unless_another_is_set(of: Fleet, is_postgres: bool) -> None:
    assert inputs(of).broker_is_postgres is is_postgres


def test_a_redis_has_no_user_in_its_url() -> None:
    of = fleet(
        roles={**ROLES_OF_FLEET, "redis": ("v6",)},
        hosts={**HOSTS, "v6": Host("v6", "fd00::6")},
        broker=Broker(port=1),
    )
    given = inputs(of, redis_password=Secret("p@ss"))
    assert given.celery_broker_url().reveal() == "redis://:p%40ss@[fd00::6]:1/0"


def test_a_result_backend_is_left_to_airflow_where_only_the_nodes_know_the_database() -> None:
    commanded = fleet(database=Database(connection_command="v"))
    assert inputs(commanded).celery_result_backend() is None
    assert inputs(commanded, result_backend=Secret("redis://r")).celery_result_backend() == Secret("redis://r")


def test_no_value_shows_a_secret() -> None:
    assert AWKWARD not in repr(inputs())
    assert "web-secret" not in repr(inputs())
