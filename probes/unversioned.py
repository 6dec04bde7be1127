"""Run on a node, as the service user in the units' environment, once Airflow 3 runs on a database of Airflow 2.

A task that Airflow 2 has planned for a run, and not started, belongs to no version of its DAG. Airflow 3.3.2 sets it to
queued without sending it, and notices after ten minutes ([scheduler] task_queued_timeout): what gives older tasks a
version looks for `state IN (…)`, which is never true for a task without a state (scheduler_job_runner.py,
_verify_integrity_if_dag_changed and _enqueue_task_instances_with_queued_state; seen).
"""

import sys
import time
from typing import Any

from probes.connection import bound, connect
from probes.failure import first_line
from probes.found_connection import found_connection

PAUSE = 2  # seconds between two looks: a DAG gets its first version when it is parsed
SHOWN = 8

_UNVERSIONED = (
    "ti.dag_version_id IS NULL AND run.state IN ('queued', 'running') AND (ti.state IS NULL OR ti.state IN"
    " ('scheduled', 'queued', 'running', 'restarting', 'deferred', 'up_for_retry', 'up_for_reschedule'))"
    " AND run.dag_id = ti.dag_id AND run.run_id = ti.run_id"
)
# One that is queued and has no version was never sent.
GIVE = (
    "UPDATE task_instance AS ti SET dag_version_id = latest.id,"
    " state = CASE ti.state WHEN 'queued' THEN 'scheduled' ELSE ti.state END FROM dag_run AS run,"
    " (SELECT DISTINCT ON (dag_id) dag_id, id FROM dag_version ORDER BY dag_id, version_number DESC) AS latest"
    f" WHERE latest.dag_id = ti.dag_id AND {_UNVERSIONED}"
)
LEFT = f"SELECT DISTINCT ti.dag_id FROM task_instance AS ti, dag_run AS run WHERE {_UNVERSIONED} ORDER BY 1"


def main(seconds: int, note: str, variable: str, public: "list[str]") -> None:
    """Connect such tasks with the latest version of their DAG, for at most `seconds`; shown lines begin with `note`.

    An error is shown, and no failure: Airflow itself continues with these tasks later.
    """
    try:
        if not found_connection(variable):
            raise RuntimeError("this host has no connection to the database")
        given, left = give(connect(variable, public), seconds)
        if given:
            print(f"{note}{given} tasks that Airflow 2 had planned continue in Airflow 3")
        if left:
            names = ", ".join("".join(c if c.isprintable() else "?" for c in name)[:200] for name in left[:SHOWN])
            more = f", and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            print(f"{note}runs that are not finished, of DAGs that Airflow 3 has not parsed: {names}{more}")
    except Exception as error:
        print(f"{note}tasks that Airflow 2 had planned may begin ten minutes late: {first_line(error)}")
    sys.exit(0)


def give(connection: "Any", seconds: int) -> "tuple[int, list[str]]":
    """Return how many tasks got a version, and the DAGs of those for which there is none after `seconds`."""
    cursor, given, began = connection.cursor(), 0, time.monotonic()
    while True:
        bound(cursor)
        cursor.execute(GIVE)
        given += cursor.rowcount
        cursor.execute(LEFT)
        left = [row[0] for row in cursor.fetchall()]
        connection.commit()
        if not left or time.monotonic() - began > seconds:
            return given, left
        time.sleep(PAUSE)
