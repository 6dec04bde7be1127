"""Notes of a plan."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.components.inputs import Inputs, Settings
from aerodrome.components.notes import notes, setting_notes
from aerodrome.fleet.model import Broker, Database
from aerodrome.secrets import Secret
from tests.unit.make import ROLES_OF_FLEET, fleet, inputs

OVER_POSTGRESQL = (
    "Celery over PostgreSQL has no remote control, and with more than a few workers it may run a message twice;"
    " use Redis instead (the role redis in hosts.yaml)"
)
TWO_INDEXES = (
    "airflow.extra_index_url without a lock file: whoever can put a package of the same name on one of the"
    " indexes can replace it; a lock file with hashes (fab pin, airflow.lock) prevents that"
)
LOGS = "Airflow 1.10 shows a worker's task logs to anyone who can reach its port 8793: allow only the web server"
SIMPLE = "the simple auth manager is for development: its passwords are in a world-readable file; remove it"
NO_CELERY = {"executor": "LocalExecutor"}


def of(version: str = "3.3.2", **airflow: Any) -> Inputs:
    """Return a fleet without any other notes."""
    return inputs(fleet(version=version, **{**NO_CELERY, **airflow}))


def test_celery_over_postgresql_is_reported_with_the_alternative() -> None:
    assert notes(inputs()) == [OVER_POSTGRESQL]


@pytest.mark.parametrize(
    "airflow",
    [
        {"executor": "LocalExecutor"},
        {"roles": {**ROLES_OF_FLEET, "redis": ("w2",)}},
        {"broker": Broker(url=Secret("amqp://b"))},
        {"broker": Broker(url_command="vault broker")},
    ],
)
def test_another_broker_or_none_is_not(airflow: dict[str, Any]) -> None:
    assert notes(inputs(fleet(**airflow))) == []


NOT_OURS = Database(managed=False, host="pg", password=Secret("x"))
SHARED = (
    "workers can log in to the metadata database, which also holds Celery's {}: with {} Celery gets no database of its "
    "own. To change this, set {} or add the role redis; broker.separate: false accepts it"
)
BOTH = "broker and results", "database.managed: false", "broker.url and broker.result_backend"
NO_DATABASE = {**ROLES_OF_FLEET, "database": ()}


@pytest.mark.parametrize(
    "airflow, told",
    [
        ({}, [SHARED.format(*BOTH)]),
        (
            {"broker": Broker(url=Secret("amqp://b"))},
            [SHARED.format("results", "database.managed: false", "broker.result_backend")],
        ),
        (
            {"database": Database(connection_command="vault"), "roles": ROLES_OF_FLEET},
            [SHARED.format(BOTH[0], "database.connection_command", BOTH[2])],
        ),
        ({"broker": Broker(url=Secret("amqp://b"), result_backend=Secret("redis://b"))}, []),
        ({"broker": Broker(separate=False)}, []),
        ({"roles": {**NO_DATABASE, "redis": ("w2",)}}, []),
        ({"version": "2.11.2"}, []),
        ({"executor": "LocalExecutor", "roles": {**NO_DATABASE, "worker": ()}}, []),
        ({"database": Database(), "roles": ROLES_OF_FLEET}, []),
    ],
)
def test_workers_that_know_the_metadata_database_are_reported_on_plan_and_deploy(
    airflow: dict[str, Any], told: list[str]
) -> None:
    given = inputs(fleet(**{"database": NOT_OURS, "roles": NO_DATABASE, **airflow}))
    assert setting_notes(given) == told
    assert set(told) <= set(notes(given))


@pytest.mark.parametrize(
    "airflow, told",
    [
        ({"pinned": False}, [TWO_INDEXES]),
        ({"constraints": "/c.txt"}, [TWO_INDEXES]),
        ({}, []),
        ({"lock": "/mine.txt"}, []),
    ],
)
def test_an_extra_index_is_reported_where_no_hashes_protect(airflow: dict[str, Any], told: list[str]) -> None:
    assert notes(of(extra_index_url=Secret("https://i"), **airflow)) == told
    assert notes(of(**airflow)) == []


def test_what_is_to_be_known_of_a_version() -> None:
    assert notes(of("1.10.10")) == [LOGS]
    assert notes(of("2.11.2")) == []


CONFIG = {"cor": {"parallelism": "1"}, "mine": {"a": "b"}, "core": {"parallelism": "1", "dag_concurrency": "2"}}


def test_sections_that_no_airflow_reads_are_reported_once_wherever_they_are() -> None:
    given = of()
    for settings in (
        {"settings": Settings(config=CONFIG)},
        {"host_settings": {"w1": Settings(config=CONFIG), "w2": Settings(config=CONFIG)}},
        {"role_settings": {"worker": Settings(config=CONFIG)}},
    ):
        assert notes(inputs(given.fleet, **settings)) == [
            "config: no section of Airflow 3 is called cor; was core meant? it is set anyway",
            "config: no section of Airflow 3 is called mine; it is set anyway",
        ]


def test_settings_that_a_version_has_lost_are_reported() -> None:
    given = Settings(config={"webserver": {"rbac": "True"}, "core": {"parallelism": "1"}})
    assert notes(inputs(of().fleet, settings=given)) == [
        "config: Airflow 3 no longer has webserver.rbac; it is set anyway"
    ]
    assert notes(inputs(of("1.10.10").fleet, settings=given)) == [LOGS]


MANAGER = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"


@pytest.mark.parametrize(
    "settings, told",
    [
        (Settings(config={"core": {"auth_manager": MANAGER}}), [SIMPLE]),
        (Settings({"AIRFLOW__CORE__AUTH_MANAGER": MANAGER}), [SIMPLE]),
        (Settings(config={"core": {"auth_manager": "mine.Manager"}}), []),
        (Settings(config={"core": {"auth_manager": Secret(MANAGER)}}), []),
        (Settings(), []),
    ],
)
def test_the_simple_auth_manager_is_not_for_production(settings: Settings, told: list[str]) -> None:
    assert notes(inputs(of().fleet, settings=settings)) == told
    assert notes(inputs(of().fleet, role_settings={"webserver": settings})) == told


def of_config(version: str, config: dict[str, dict[str, str]]) -> list[str]:
    told = notes(inputs(of(version).fleet, settings=Settings(config=config)))
    return [note for note in told if note != LOGS]


@pytest.mark.parametrize(
    "version, section, key, told",
    [
        ("3.3.2", "core", "paralelism", "Airflow 3.3.2 has no such setting; was core.parallelism meant? it is set"),
        ("2.11.2", "Core", "Paralelism", "Airflow 2.11.2 has no such setting; was Core.parallelism meant? it is set"),
        ("1.10.10", "core", "paralelism", "Airflow 1.10.10 has no such setting; was core.parallelism meant? it is"),
        ("3.3.2", "scheduler", "parallelism", "Airflow 3.3.2 has no such setting; was core.parallelism meant? it is"),
        ("3.3.2", "core", "mine_alone", "Airflow 3.3.2 has no such setting; it is set anyway"),
        ("3.1.0", "core", "paralelism", "Airflow 3.3.2 has no such setting, and 3.1.0 may have none; was core.par"),
        ("3.3.2", "core", "fernet_key_comd", "Airflow 3.3.2 has no such setting; "),
    ],
)
def test_a_key_that_airflow_does_not_have_is_reported_with_the_nearest(
    version: str, section: str, key: str, told: str
) -> None:
    (note,) = of_config(version, {section: {key: "1"}})
    assert note.startswith(f"config: {section}.{key}: {told}")


@pytest.mark.parametrize("version", ["3.3.2", "2.11.2", "1.10.10"])
def test_what_airflow_and_its_providers_read_is_not(version: str) -> None:
    known = {
        "core": {"parallelism": "1", "sql_alchemy_conn_cmd": "x", "DAG_CONCURRENCY": "1"},
        "celery": {"worker_concurrency": "1", "celeryd_concurrency": "1"},
        "sentry": {"whatever": "1"},
        "smtp": {"smtp_host": "x"},
        "celery_broker_transport_options": {"visibility_timeout": "1"},
        "scheduler": {"scheduler_heartbeat_sec": "1", "job_heartbeat_sec": "1", "catchup_by_default": "False"},
        "webserver": {"web_server_host": "0.0.0.0"},
        "elasticsearch_configs": {"anything": "1"},
    }
    assert of_config(version, known) == []


def test_another_version_s_own_keys_are_not_told_without_a_near_one() -> None:
    assert of_config("3.1.0", {"core": {"mine_alone": "1"}}) == []


def test_a_variable_that_names_a_setting_is_looked_at_too() -> None:
    given = {"AIRFLOW__CORE__PARALELISM": "1", "AIRFLOW__COMMON_IO__X": "1", "AIRFLOW__MINE__X": "1", "PARALELISM": "1"}
    assert notes(inputs(of().fleet, settings=Settings(given))) == [
        "environment: AIRFLOW__CORE__PARALELISM: Airflow 3.3.2 has no such setting; was core.parallelism meant?"
        " it is set anyway",
        "environment: AIRFLOW__COMMON_IO__X: Airflow 3.3.2 has no such setting; it is set anyway",
    ]
