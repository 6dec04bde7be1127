"""Types of values, and keys that must be there."""

from __future__ import annotations

import pytest

from tests.unit.fleet.hosts_yaml import SMALL, problems


@pytest.mark.parametrize(
    "added, problem",
    [
        ("airflow: {version: 3.3}",
         "airflow.version: is a decimal number, not text; expected an Airflow version such "
         "as 3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3), in quotes"),
        ("airflow: {user: yes}", "airflow.user: is a boolean, not text; expected a Linux user of lowercase letters, "
         "digits, _ and -, other than root and aerodrome, in quotes"),
        ("airflow: {pinned: maybe}", "airflow.pinned: is text, not a boolean; expected true or false"),
        ("airflow: {extras: postgres}",
         "airflow.extras: is text, not a list; expected a list of extras: [postgres, celery]"),
        ("deploy: {parallel: 1.5}",
         "deploy.parallel: is a decimal number, not a whole number; expected a number from 1 to 1000"),
        ("deploy: {parallel: }",
         "deploy.parallel: is empty, not a whole number; expected a number from 1 to 1000"),
        ("database: {port: 022}", "database.port: 022 is not valid; expected a number from 1 to 65535"),
        ("database: {port: 22:30}", "database.port: 22:30 is not valid; expected a number from 1 to 65535"),
        ("database: {port: 65536}", "database.port: 65536 is not valid; expected a number from 1 to 65535"),
        ("deploy: {health_timeout: 0}",
         "deploy.health_timeout: 0 is not valid; expected a number from 1 to 86400 (seconds)"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_type(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]


def test_sections_that_must_be_there() -> None:
    assert problems("airflow:\n") == [
        "hosts.yaml:1: hosts is missing; expected hosts, each with its address",
        "hosts.yaml:1: roles is missing; expected the roles "
        "(database, redis, scheduler, dag-processor, triggerer, webserver, worker), each with its hosts",
    ]
