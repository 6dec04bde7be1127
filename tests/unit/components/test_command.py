"""Airflow's own commands, in the units' environment."""

from __future__ import annotations

import pytest

from aerodrome.components.command import airflow_command, in_unit_environment, wants_json
from tests.unit.make import Shell, fleet, inputs

PREFIX = (
    "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
    "-p EnvironmentFile=-/etc/default/airflow.local -p EnvironmentFile=/etc/default/airflow "
    "-p EnvironmentFile=-/etc/default/airflow-scheduler -p WorkingDirectory=/usr/local/airflow -p UMask=0027 "
)


def test_a_command_runs_as_the_service_user_in_the_units_environment() -> None:
    command = airflow_command(inputs(), ["dags", "trigger", "a b", "-c", '{"x": "$(id)"}'], "scheduler")
    assert command == PREFIX + """/opt/aerodrome/airflow/venv/bin/airflow dags trigger 'a b' -c '{"x": "$(id)"}'"""


def test_another_service_and_user() -> None:
    command = airflow_command(inputs(fleet(service="ac", user="air", home="/srv/air")), ["info"], "webserver")
    assert command == (
        "systemd-run --quiet --pipe --wait --collect -p User=air -p Group=air "
        "-p EnvironmentFile=-/etc/default/ac.local -p EnvironmentFile=/etc/default/ac "
        "-p EnvironmentFile=-/etc/default/ac-webserver "
        "-p WorkingDirectory=/srv/air -p UMask=0027 /opt/aerodrome/ac/venv/bin/airflow info"
    )


def test_without_a_role_there_are_the_variables_of_all_roles_only() -> None:
    of_role = "-p EnvironmentFile=-/etc/default/airflow-scheduler "
    assert in_unit_environment(inputs(), ["env"]) == PREFIX.replace(of_role, "") + "env"


def test_arguments_arrive_one_by_one_and_the_exit_code_comes_back(sh: Shell) -> None:
    script = airflow_command(inputs(), ["a b", "$HOME", "it's", ""], "worker")
    systemd_run = 'while [ "$1" != -p ]; do shift; done; shift 14; shift; printf "[%s]" "$@"; exit 7'
    done = sh(script, programs={"systemd-run": systemd_run})
    assert (done.stdout, done.returncode) == (b"[a b][$HOME][it's][]", 7)


@pytest.mark.parametrize(
    "command, json",
    [
        ("dags list -o json", True), ("dags list --output json", True), ("dags list --output=json -v", True),
        ("dags list -ojson", True), ("dags list -o yaml", False), ("dags list", False), ("dags trigger json", False),
        ("dags list -o", False), ("", False),
    ],
)  # fmt: skip
def test_which_commands_print_json(command: str, json: bool) -> None:
    assert wants_json(command.split()) is json
