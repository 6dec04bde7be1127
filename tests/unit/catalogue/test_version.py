"""The differences between Airflow 1.10, 2 and 3."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from aerodrome.catalogue.version import catalogue, url
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD

VERSIONS = ["1.10.10", "2.11.2", "3.3.2"]


@pytest.mark.parametrize(
    "version, section, key, name",
    [
        ("1.10.10", "database", "sql_alchemy_conn", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.11.2", "database", "sql_alchemy_conn", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("3.3.2", "database", "sql_alchemy_conn", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("1.10.10", "api", "secret_key", "AIRFLOW__WEBSERVER__SECRET_KEY"),
        ("2.11.2", "api", "secret_key", "AIRFLOW__WEBSERVER__SECRET_KEY"),
        ("3.3.2", "api", "secret_key", "AIRFLOW__API__SECRET_KEY"),
        ("1.10.10", "api", "port", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT"),
        ("2.11.2", "api", "port", "AIRFLOW__WEBSERVER__WEB_SERVER_PORT"),
        ("3.3.2", "api", "port", "AIRFLOW__API__PORT"),
        ("1.10.10", "logging", "worker_log_server_port", "AIRFLOW__CELERY__WORKER_LOG_SERVER_PORT"),
        ("3.3.2", "logging", "worker_log_server_port", "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT"),
        ("1.10.10", "core", "fernet_key", "AIRFLOW__CORE__FERNET_KEY"),
        # A name of an older version, and a command in place of the value.
        ("3.3.2", "scheduler", "dag_dir_list_interval", "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL"),
        ("3.3.2", "webserver", "web_server_port", "AIRFLOW__API__PORT"),
        ("2.11.2", "core", "sql_alchemy_conn", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("1.10.10", "database", "sql_alchemy_conn_cmd", "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD"),
        # Airflow writes the dots of a section as _ (systemd takes no others): airflow/configuration.py.
        ("3.3.2", "common.io", "xcom_objectstorage_path", "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH"),
    ],
)
def test_the_variable_of_a_setting(version: str, section: str, key: str, name: str) -> None:
    assert catalogue(version).variable(section, key) == name


@pytest.mark.parametrize(
    "version, migrate, health",
    [
        ("1.10.10", "upgradedb", "/health"),
        ("2.11.2", "db migrate", "/health"),
        ("3.3.2", "db migrate", "/api/v2/monitor/health"),
    ],
)
def test_what_differs_between_versions(version: str, migrate: str, health: str) -> None:
    found = catalogue(version)
    assert (found.migrate, found.health_path) == (migrate, health)


@pytest.mark.parametrize("version", ["1.10.10.*", "1.10.15.post1", "2.0.0b3", "3.4.0rc1"])
def test_versions_in_other_forms(version: str) -> None:
    assert catalogue(version).major == int(version[0])


def test_a_version_that_nobody_knows() -> None:
    with pytest.raises(KeyError):
        catalogue("4.0.0")


@pytest.mark.parametrize(
    "version, command",
    [("1.10.10", ["create_user"]), ("2.11.2", ["users", "create"]), ("3.3.2", ["users", "create"])],
)
def test_a_login_is_made_without_its_password_in_the_arguments(version: str, command: list[str]) -> None:
    arguments = catalogue(version).create_user("ada", "a@b", "Ada", "L", "Admin")
    assert arguments == [*command, "-u", "ada", "-e", "a@b", "-f", "Ada", "-l", "L", "-r", "Admin"]


@pytest.mark.parametrize(
    "version, setting",
    [
        ("1.10.10", ("webserver", "rbac")),
        ("2.11.2", ("api", "auth_backends")),
        ("3.3.2", ("core", "auth_manager")),
    ],
)
def test_the_web_server_asks_for_a_login(version: str, setting: tuple[str, str]) -> None:
    assert catalogue(version).fixed[setting]


# Database URLs


def test_a_database_url_as_a_whole() -> None:
    made = url("postgresql+psycopg2", "air-flow", Secret(AWKWARD), "10.0.0.1", 5432, "air%24flow")
    assert made.reveal() == (
        "postgresql+psycopg2://air-flow:p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B@10.0.0.1:5432/air%24flow"
    )
    assert "p%40ss" not in f"{made} {made!r}"


@pytest.mark.parametrize("password", [AWKWARD, "$HOME", "a+b &c=d", "line\nbreak", "é☃😀", "%41"])
def test_a_password_comes_out_of_a_url_as_it_went_in(password: str) -> None:
    parts = urlsplit(url("db", "u", Secret(password), "db.example", 5433, "d").reveal())
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port) == ("db.example", 5433)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert url("db", "u", Secret("p"), "fd00::1", 5432, "d").reveal() == "db://u:p@[fd00::1]:5432/d"
