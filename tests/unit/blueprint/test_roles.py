"""Units of a role: their drop-ins, and what restarts them."""

from __future__ import annotations

import pytest

from aerodrome.blueprint.roles import reads, role, stopped
from aerodrome.blueprint.step import Step
from aerodrome.fleet import Deploy, Host, Worker
from aerodrome.resources.files import File
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

READS = (
    "/etc/default/airflow",
    "/etc/systemd/system/airflow@.service",
    "/etc/systemd/system/airflow@scheduler.service.d/10-aerodrome.conf",
    "/home/astro/airflow-venv",
)


def dropin(name: str, host: str = "s1", **airflow: object) -> str:
    file = role(inputs(fleet(**airflow)), HOSTS[host], name).resources[0]  # type: ignore[arg-type]
    assert isinstance(file, File)
    assert (file.path, file.mode, file.reload) == (
        f"/etc/systemd/system/airflow@{name}.service.d/10-aerodrome.conf",
        0o644,
        True,
    )
    head, _, rest = file.content.partition("[Service]\n")
    assert head == f"# Written by Aerodrome: what is particular to {name} on this host.\n"
    return rest


MIGRATES = """\
# The first scheduler migrates the metadata database before it starts; nobody else does.
ExecStartPre=/home/astro/airflow-venv/bin/airflow {}
TimeoutStartSec=1800
"""
PID_FILE = """\
# Left behind by a killed web server, and the next one would take its process for a running server.
ExecStartPre=-/bin/rm -f /usr/local/airflow/airflow-webserver.pid
"""


@pytest.mark.parametrize(
    "version, command", [("1.10.10", "upgradedb"), ("2.11.2", "db migrate"), ("3.3.2", "db migrate")]
)
def test_the_first_scheduler_migrates(version: str, command: str) -> None:
    assert dropin("scheduler", version=version) == MIGRATES.format(command)


def test_a_migration_gets_the_time_that_hosts_yaml_says() -> None:
    assert "TimeoutStartSec=7\n" in dropin("scheduler", deploy=Deploy(migration_timeout=7))


def test_a_second_scheduler_does_not_migrate() -> None:
    assert dropin("scheduler", "web1", roles={**ROLES_OF_FLEET, "scheduler": ("s1", "web1")}) == ""


def test_roles_whose_command_is_their_name_need_no_other() -> None:
    assert dropin("triggerer") == dropin("dag-processor") == ""


@pytest.mark.parametrize("version, rest", [("1.10.10", PID_FILE), ("2.11.2", PID_FILE)])
def test_a_webserver_forgets_who_ran_before(version: str, rest: str) -> None:
    assert dropin("webserver", "web1", version=version) == rest


def test_the_web_server_of_airflow_3_has_another_command() -> None:
    assert dropin("webserver", "web1") == "ExecStart=\nExecStart=/home/astro/airflow-venv/bin/airflow api-server\n"


DRAIN = "# What its running tasks get when it is asked to stop.\nTimeoutStopSec=600\n"


def test_a_worker_with_queues_and_concurrency() -> None:
    assert dropin("worker", "w1") == (
        "ExecStart=\n"
        "ExecStart=/home/astro/airflow-venv/bin/airflow celery worker --queues default,reports\n"
        f"{DRAIN}"
        'Environment="AIRFLOW__CELERY__WORKER_CONCURRENCY=4"\n'
    )


def test_a_worker_without() -> None:
    assert (
        dropin("worker", "w2") == f"ExecStart=\nExecStart=/home/astro/airflow-venv/bin/airflow celery worker\n{DRAIN}"
    )
    assert dropin("worker", "w2", version="1.10.10") == DRAIN


def test_tasks_get_their_time_also_where_the_scheduler_runs_them() -> None:
    assert DRAIN in dropin("scheduler", "s1", executor="LocalExecutor")
    assert DRAIN not in dropin("scheduler", "s1")


def test_a_worker_of_1_10_with_queues_has_a_command_of_its_own() -> None:
    host = Host("w9", "10.0.0.9", worker=Worker(("q",)))
    file = role(inputs(fleet(version="1.10.10")), host, "worker").resources[0]
    assert "ExecStart=/home/astro/airflow-venv/bin/airflow worker --queues q\n" in file.content  # type: ignore[attr-defined]


def test_a_role_is_its_dropin_and_then_its_unit() -> None:
    step = role(inputs(), HOSTS["s1"], "scheduler", again=True)
    assert step.name == "roles.scheduler"
    assert step.resources[1:] == (Service("airflow@scheduler.service", READS, again=True),)


def test_airflow_cfg_is_read_where_there_is_one() -> None:
    assert reads(inputs(), "scheduler") == READS
    assert reads(inputs(config_file=""), "scheduler") == (*READS, "/usr/local/airflow/airflow.cfg")


def test_new_dags_restart_nothing() -> None:
    assert not [path for path in reads(inputs(), "scheduler") if "dags" in path]


def test_a_role_that_is_stopped() -> None:
    assert stopped(inputs(), "worker") == Step("roles.worker", (Stopped("airflow@worker.service"),))
