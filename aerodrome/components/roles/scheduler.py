"""Step 3: set up and start the schedulers; the first one migrates the database.

Examples:
  fab roles.scheduler
  fab -H sched2 roles.scheduler    # a second scheduler (from Airflow 2)
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.catalogue.version import BROKER_URL, DATABASE_URL, FERNET_KEY, JWT_SECRET, RESULT_BACKEND, SECRET_KEY
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import heartbeat
from aerodrome.components.inputs import Inputs
from aerodrome.components.units import dropins
from aerodrome.core.check import Verdict
from aerodrome.core.resource import Resource
from aerodrome.fleet.model import Host
from aerodrome.fleet.role import Sections, SettingPort, Version, version_of
from aerodrome.resources.takeover import Superseded

LOGS = SettingPort("the scheduler's log server", ("logging", "worker_log_server_port"), 8793)


class Scheduler(AirflowRole):
    """Queues tasks; with LocalExecutor it also runs them."""

    name, place, stage = "scheduler", 30, "schedulers"
    commands = {1: "scheduler", 2: "scheduler", 3: "scheduler"}
    first_alone = True
    job = "SchedulerJob"
    # The secret key signs what the scheduler hands to the executor (3.3.2).
    secrets = (FERNET_KEY, DATABASE_URL, BROKER_URL, RESULT_BACKEND, SECRET_KEY, JWT_SECRET)
    uses_celery = True
    logs = LOGS

    def needed(self, found: Sections) -> bool:
        return True

    def mistakes(self, found: Sections) -> Iterator[str]:
        yield from super().mistakes(found)
        if len(found["roles"].get(self.name) or ()) > 1 and version_of(found) < (2, 0):
            yield "Airflow 1.10 supports only one scheduler; name one host"

    def ports(self, executor: str, version: Version) -> tuple[SettingPort, ...]:
        # In Airflow 1.10 the scheduler serves no logs, but a unit of the operator's own may (`airflow serve_logs`).
        return (LOGS,) if executor == "LocalExecutor" else ()

    def serves_logs(self, executor: str, version: Version) -> bool:
        return executor == "LocalExecutor" and version >= (2, 0)

    def runs_tasks(self, inputs: Inputs) -> bool:
        return inputs.fleet.airflow.executor == "LocalExecutor"

    def waits(self, inputs: Inputs) -> bool:
        return inputs.catalogue.scheduler_waits

    def migration(self, inputs: Inputs, host: Host) -> str:
        """Return the migration on the first scheduler's host; no other unit migrates the metadata database."""
        return inputs.catalogue.migrate if inputs.fleet.roles[self.name][0] == host.name else ""

    def resources(self, inputs: Inputs) -> tuple[Resource, ...]:
        """Return the guide's own drop-in as superseded: it would migrate a second time."""
        # Also with the guide's original command, which would fail on a host taken over to a later version.
        migrations = dict.fromkeys([inputs.catalogue.migrate, "upgradedb"])
        texts = tuple(
            ("[Service]", f"ExecStartPre={inputs.guide_venv}/bin/airflow {command}") for command in migrations
        )
        return (Superseded(f"{dropins(inputs, self.name)}/override.conf", texts),)

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        return heartbeat(self.job, seen)


COMPONENT = Scheduler()
