"""Ports of one host."""

from __future__ import annotations

import pytest

from tests.unit.fleet.hosts_yaml import SMALL, fleet, problems

ONE_HOST = """\
hosts: {one: {address: 10.0.0.1}, two: {address: 10.0.0.2}}
roles: {database: [one], redis: [one], scheduler: [one], webserver: [one], worker: [one, two]}
"""


@pytest.mark.parametrize(
    "added, told",
    [
        ("airflow: {web_port: 6379}",
         "3: airflow.web_port: the web server and Redis would both listen on port 6379 of one"),
        ("broker: {port: 5432}", "3: broker.port: Redis and PostgreSQL would both listen on port 5432 of one"),
        ("broker: {port: 8080}", "3: broker.port: the web server and Redis would both listen on port 8080 of one"),
        ("airflow: {web_port: 8793}",
         "3: airflow.web_port: the worker's log server and the web server would both listen on port 8793 of one"),
        ("airflow: {web_port: 8794}",
         "3: airflow.web_port: the triggerer's log server and the web server would both listen on port 8794 of one"),
        ("airflow: {config: {logging: {worker_log_server_port: 8080}}}",
         "3: airflow.config.logging.worker_log_server_port: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
        ("airflow: {config: {celery: {worker_log_server_port: 8080}}}",  # its name in 1.10
         "3: airflow.config.celery.worker_log_server_port: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
        ("airflow: {environment: {AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: 8080}}",
         "3: airflow.environment.AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: "
         "the worker's log server and the web server would both listen on port 8080 of one"),
    ],
)  # fmt: skip
def test_two_roles_of_a_host_cannot_listen_on_one_port(added: str, told: str) -> None:
    assert problems(ONE_HOST + added) == [f"hosts.yaml:{told}; choose another"]


@pytest.mark.parametrize(
    "added",
    [
        "",
        "airflow: {web_port: 8793, config: {logging: {worker_log_server_port: 8080}}}",
        "airflow: {web_port: 8793, environment: {AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT: !env PORT}}",
        "airflow: {version: 2.5.3, web_port: 8794}",  # before triggerers had a log server
        "airflow: {web_port: 8792}",
    ],
)
def test_ports_that_differ_or_are_not_known_here_are_no_mistake(added: str) -> None:
    assert fleet(ONE_HOST + added).hosts


def test_roles_on_separate_hosts_may_have_the_same_port() -> None:
    assert fleet(SMALL + "airflow: {web_port: 5432}").airflow.web_port == 5432
    local = "roles: {database: [one], scheduler: [two], webserver: [two]}\nhosts: {one: {address: 10.0.0.1}, "
    local += "two: {address: 10.0.0.2}}\nairflow: {executor: LocalExecutor, web_port: 8793}"
    (told,) = problems(local)
    assert told.endswith(
        "the scheduler's log server and the web server would both listen on port 8793 of two; choose another"
    )
