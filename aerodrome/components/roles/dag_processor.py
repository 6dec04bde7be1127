"""Set up and start the DAG processors (Airflow 3).

Examples:
  fab roles.dag-processor
  fab -H sched1 roles.dag-processor
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.catalogue.version import DATABASE_URL, FERNET_KEY
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import heartbeat
from aerodrome.core.check import Verdict
from aerodrome.fleet.role import Sections, version_of


class DagProcessor(AirflowRole):
    """Parses DAG files."""

    name, place, stage = "dag-processor", 40, "schedulers"
    since, joins = (3, 0), "scheduler"
    commands = {3: "dag-processor"}
    job = "DagProcessorJob"
    secrets = (
        FERNET_KEY,
        DATABASE_URL,
    )  # it serves its child processes from the database (InProcessExecutionAPI of 3.3.2)

    def mistakes(self, found: Sections) -> Iterator[str]:
        yield from super().mistakes(found)
        if found["roles"].get(self.name) == () and version_of(found) >= self.since:
            yield "no host has this role, and Airflow 3 cannot read DAGs without it; name one, or omit the role"

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        return heartbeat(self.job, seen)


COMPONENT = DagProcessor()
