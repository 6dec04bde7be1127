"""Units of a role: their drop-ins, and the reasons for a restart."""

from __future__ import annotations

from aerodrome.checks.ports import FreePort
from aerodrome.components.census import drain
from aerodrome.components.units import reads, started, stopped
from aerodrome.core.step import Step
from aerodrome.resources.drain import Unreported
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.components.look import dropin
from tests.unit.make import HOSTS, inputs

READS = (
    "/etc/default/airflow.local",
    "/etc/default/airflow",
    "/etc/default/airflow-scheduler",
    "/etc/systemd/system/airflow@.service",
    "/etc/systemd/system/airflow@scheduler.service.d/10-aerodrome.conf",
    "/opt/aerodrome/airflow/venv",
    "/usr/local/airflow/config/aerodrome_host.py",
)


def test_roles_whose_command_is_their_name_need_no_other() -> None:
    assert dropin("triggerer") == dropin("dag-processor") == ""


def test_a_role_is_its_dropin_and_then_its_unit() -> None:
    step = started(inputs(), HOSTS["s1"], "triggerer", again=True)
    assert step.name == "roles.triggerer"
    (port,), (dropin, service) = step.requires, step.resources
    assert port == FreePort(8794, "airflow@triggerer.service", "logging.trigger_log_server_port under airflow.config")
    assert dropin.key == "file /etc/systemd/system/airflow@triggerer.service.d/10-aerodrome.conf"
    roles = ("scheduler", "dag-processor", "triggerer")
    units = [(f"airflow@{name}.service", tuple(path.replace("scheduler", name) for path in READS)) for name in roles]
    assert service == Service(*units[-1], again=True, beside=tuple(units))


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
