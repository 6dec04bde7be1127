"""Units of a role: their drop-ins, and what restarts them."""

from __future__ import annotations

import pytest

from aerodrome.checks.ports import FreePort
from aerodrome.components.census import drain
from aerodrome.components.roles.worker import COMPONENT
from aerodrome.components.units import reads, started, stopped
from aerodrome.core.resource import Change
from aerodrome.core.step import Step
from aerodrome.fleet.model import Deploy, Host
from aerodrome.resources.drain import Unreported
from aerodrome.resources.files import File
from aerodrome.resources.systemd import Service, Stopped
from aerodrome.resources.takeover import Superseded
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

READS = (
    "/etc/default/airflow.local",
    "/etc/default/airflow",
    "/etc/default/airflow-scheduler",
    "/etc/systemd/system/airflow@.service",
    "/etc/systemd/system/airflow@scheduler.service.d/10-aerodrome.conf",
    "/opt/aerodrome/airflow/venv",
    "/usr/local/airflow/config/aerodrome_host.py",
)


def dropin(name: str, host: str = "s1", **airflow: object) -> str:
    file = started(inputs(fleet(**airflow)), HOSTS[host], name).resources[0]  # type: ignore[arg-type]
    assert isinstance(file, File)
    assert (file.path, file.mode, file.reload) == (
        f"/etc/systemd/system/airflow@{name}.service.d/10-aerodrome.conf",
        0o644,
        True,
    )
    head, _, rest = file.content.partition("[Service]\n")
    assert head == f"# Written by Aerodrome: what is particular to {name} on this host.\n"
    return rest.partition("# Sandbox: strict ")[0]  # what follows is in test_sandbox.py


MIGRATES = """\
# The first scheduler migrates the metadata database before it starts; nobody else does.
ExecStartPre=/opt/aerodrome/airflow/venv/bin/airflow {}
TimeoutStartSec=1800
"""
PID_FILE = """\
ExecStart=
ExecStart=/opt/aerodrome/airflow/venv/bin/airflow webserver --pid /run/airflow-webserver/gunicorn.pid
# Holds the pid file, and is gone with the process: the next one would take a pid left behind for a running server.
RuntimeDirectory=airflow-webserver
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
    assert dropin("webserver", "web1") == "ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow api-server\n"


DRAIN = "# What its running tasks get when it is asked to stop.\nTimeoutStopSec=600\n"


def test_a_worker_with_queues_and_concurrency() -> None:
    assert dropin("worker", "w1") == (
        "ExecStart=\n"
        "ExecStart=/opt/aerodrome/airflow/venv/bin/airflow celery worker --celery-hostname w1"
        " --queues default,reports\n"
        f"{DRAIN}"
    )


def test_a_worker_without() -> None:
    assert (
        dropin("worker", "w2")
        == f"ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow celery worker --celery-hostname w2\n{DRAIN}"
    )
    old = "ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow worker --celery_hostname w2\n"
    assert dropin("worker", "w2", version="1.10.10") == old + DRAIN


def test_a_worker_calls_itself_what_the_others_can_resolve() -> None:
    hosts = {**HOSTS, "w2": Host("w2", "w2.example.com")}
    file = started(inputs(fleet(hosts=hosts, deploy=Deploy(dns=True))), hosts["w2"], "worker").resources[0]
    assert "airflow celery worker --celery-hostname w2.example.com\n" in file.content  # type: ignore[attr-defined]


def test_tasks_get_their_time_also_where_the_scheduler_runs_them() -> None:
    assert DRAIN in dropin("scheduler", "s1", executor="LocalExecutor")
    assert DRAIN not in dropin("scheduler", "s1")


def test_a_worker_of_1_10_with_queues_has_a_command_of_its_own() -> None:
    host = Host("w9", "10.0.0.9", of_role={"worker": {"queues": ("q",)}})
    file = started(inputs(fleet(version="1.10.10")), host, "worker").resources[0]
    assert "ExecStart=/opt/aerodrome/airflow/venv/bin/airflow worker --celery_hostname w9 --queues q\n" in file.content  # type: ignore[attr-defined]


def test_a_role_is_its_dropin_and_then_its_unit() -> None:
    step = started(inputs(), HOSTS["s1"], "triggerer", again=True)
    assert step.name == "roles.triggerer"
    (port,), (dropin, service) = step.requires, step.resources
    assert port == FreePort(8794, "airflow@triggerer.service", "logging.trigger_log_server_port under airflow.config")
    assert dropin.key == "file /etc/systemd/system/airflow@triggerer.service.d/10-aerodrome.conf"
    roles = ("scheduler", "dag-processor", "triggerer")
    units = [(f"airflow@{name}.service", tuple(path.replace("scheduler", name) for path in READS)) for name in roles]
    assert service == Service(*units[-1], again=True, beside=tuple(units))


def test_a_workers_queues_are_declared_before_it_is_started() -> None:
    def before(name: str, host: str) -> tuple[Change, ...]:
        service = started(inputs(), HOSTS[host], name).resources[-1]
        assert isinstance(service, Service)
        return service.before

    assert before("worker", "w1") == COMPONENT.before_start(inputs(), HOSTS["w1"]) != ()
    assert before("scheduler", "s1") == before("webserver", "web1") == ()


@pytest.mark.parametrize("version, commands", [("1.10.10", ["upgradedb"]), ("3.3.2", ["db migrate", "upgradedb"])])
def test_the_guides_own_dropin_would_migrate_a_second_time(version: str, commands: list[str]) -> None:
    _, superseded, service = started(inputs(fleet(version=version, service="ac")), HOSTS["s1"], "scheduler").resources
    assert superseded == Superseded(
        "/etc/systemd/system/ac@scheduler.service.d/override.conf",
        tuple(("[Service]", f"ExecStartPre=/home/astro/airflow-venv/bin/airflow {command}") for command in commands),
    )
    assert isinstance(service, Service)


def test_airflow_cfg_is_read_where_there_is_one() -> None:
    assert reads(inputs(), "scheduler") == READS
    assert reads(inputs(config_file=""), "scheduler") == (*READS, "/usr/local/airflow/airflow.cfg")


def test_new_dags_restart_nothing() -> None:
    assert not [path for path in reads(inputs(), "scheduler") if "dags" in path]


def test_a_role_that_is_stopped() -> None:
    drained = drain(inputs(), HOSTS["w1"], "worker")
    assert drained is not None
    assert stopped(inputs(), HOSTS["w1"], "worker") == Step(
        "roles.worker", (Unreported("airflow@worker.service"), Stopped("airflow@worker.service", drained))
    )
    web = Step("roles.webserver", (Stopped("airflow@webserver.service"),))
    assert stopped(inputs(), HOSTS["web1"], "webserver") == web
