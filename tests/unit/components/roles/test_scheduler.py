"""The scheduler: the migration, its tasks, and how its health is judged."""

from __future__ import annotations

import pytest

from aerodrome.components.units import started
from aerodrome.fleet.model import Deploy
from aerodrome.resources.systemd import Service
from aerodrome.resources.takeover import Superseded
from tests.unit.components.look import DRAIN, HEARTBEAT, STARTED, dropin, judged
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs


@pytest.mark.parametrize(
    "job, verdict, detail",
    [
        (HEARTBEAT, "ok", "heartbeat 2 s ago"),
        ({"age": 30.0, "started": STARTED}, "ok", "heartbeat 30 s ago"),
        ({"age": 31.0, "started": STARTED}, "waiting", "heartbeat 31 s ago"),
        # From the previous process: its row still looks fresh.
        ({"age": 1.0, "started": STARTED - 60}, "waiting", "no heartbeat yet"),
        (None, "waiting", "no heartbeat yet"),
    ],
)
def test_a_scheduler_by_its_heartbeat(job: object, verdict: str, detail: str) -> None:
    assert judged("scheduler", {"jobs": {"SchedulerJob": job} if job else {}}) == (verdict, detail)


MIGRATES = """\
# The first scheduler migrates the metadata database before it starts; nobody else does.
ExecStartPre=/opt/aerodrome/airflow/venv/bin/airflow {}
TimeoutStartSec=1800
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


def test_tasks_get_their_time_also_where_the_scheduler_runs_them() -> None:
    assert DRAIN in dropin("scheduler", "s1", executor="LocalExecutor")
    assert DRAIN not in dropin("scheduler", "s1")


@pytest.mark.parametrize("version, commands", [("1.10.10", ["upgradedb"]), ("3.3.2", ["db migrate", "upgradedb"])])
def test_the_guides_own_dropin_would_migrate_a_second_time(version: str, commands: list[str]) -> None:
    _, superseded, service = started(inputs(fleet(version=version, service="ac")), HOSTS["s1"], "scheduler").resources
    assert superseded == Superseded(
        "/etc/systemd/system/ac@scheduler.service.d/override.conf",
        tuple(("[Service]", f"ExecStartPre=/home/astro/airflow-venv/bin/airflow {command}") for command in commands),
    )
    assert isinstance(service, Service)
