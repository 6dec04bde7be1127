"""Set up and start the triggerers (Airflow 2 and 3).

Examples:
  fab roles.triggerer
  fab -H sched1 roles.triggerer
"""

from __future__ import annotations

from aerodrome.catalogue.version import DATABASE_URL, FERNET_KEY, SECRET_KEY
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import heartbeat
from aerodrome.core.check import Verdict
from aerodrome.fleet.role import SettingPort, Version


class Triggerer(AirflowRole):
    """Waits on behalf of deferred tasks."""

    name, place, stage = "triggerer", 50, "schedulers"
    since, joins = (2, 2), "scheduler"
    commands = {2: "triggerer", 3: "triggerer"}
    job = "TriggererJob"
    secrets = (FERNET_KEY, DATABASE_URL, SECRET_KEY)  # it serves its child processes from the database (3.3.2)
    logs = SettingPort("the triggerer's log server", ("logging", "trigger_log_server_port"), 8794)

    def serves_logs(self, executor: str, version: Version) -> bool:
        return version >= (2, 6)

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        return heartbeat(self.job, seen)


COMPONENT = Triggerer()
