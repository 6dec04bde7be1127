"""Run on a node, as the service user in the units' environment: print the tasks that run there, in one line."""

import socket
import sys
from typing import Any

from probes.connection import bound, connect
from probes.failure import first_line

# Heartbeats come every 5 s. After this many seconds without one, a task is gone although the database still lists it
# as running: it was killed with an earlier process, and the scheduler takes 5 minutes to notice.
GONE = 60


def main(name: str, shown: int, variable: str, public: "list[str]") -> None:
    """Print the tasks that run on the host `name`, naming at most `shown` of them; nothing if there are none."""
    try:
        found = [described(*row) for row in running(connect(variable, public).cursor(), name)]
    except Exception as error:
        sys.exit(first_line(error))
    if found:
        more = [f"and {len(found) - shown} more"] if len(found) > shown else []
        tasks = "1 running task" if len(found) == 1 else f"{len(found)} running tasks"
        print("{}: {}".format(tasks, ", ".join(found[:shown] + more)))


def running(cursor: "Any", name: str) -> "list[tuple[str, str, str, int, float | None]]":
    """Return DAG, task, run, map index and age in seconds of each task that runs on this host."""
    bound(cursor)
    cursor.execute(
        "SELECT column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND table_name = 'task_instance'"
    )
    columns = {row[0] for row in cursor.fetchall()}
    if not columns:
        return []
    # Airflow 1.10 has no run ids, and mapped tasks exist since 2.3.
    run = "task.run_id" if "run_id" in columns else "task.execution_date"
    index = "task.map_index" if "map_index" in columns else "-1"
    if "last_heartbeat_at" in columns:  # since Airflow 3
        beat, job = "task.last_heartbeat_at", ""
    else:
        beat, job = "job.latest_heartbeat", " LEFT JOIN job ON job.id = task.job_id"
    cursor.execute(
        f"SELECT task.dag_id, task.task_id, {run}, {index}, extract(epoch FROM now() - task.start_date)::float"
        f" FROM task_instance task{job} WHERE task.state = 'running' AND task.hostname = ANY(%s)"
        f" AND coalesce({beat}, task.start_date, now()) > now() - {GONE} * interval '1 second'"
        " ORDER BY task.start_date, task.dag_id, task.task_id",
        ([name, socket.getfqdn(), socket.gethostname()],),
    )
    rows: list[tuple[str, str, str, int, float | None]] = cursor.fetchall()
    return rows


def described(dag: str, task: str, run: str, index: int, seconds: "float | None") -> str:
    """Return a task in words: `dag.task[3] (run, 59 s)`."""
    mapped = "" if index < 0 else f"[{index}]"
    return f"{text(dag)}.{text(task)}{mapped} ({text(run)}, {age(seconds)})"


def text(value: object) -> str:
    """Return a name without characters that a terminal could interpret."""
    # No backslash: the shell's echo would take it for the start of a newline, which could forge a line of ours.
    return "".join(letter if letter.isprintable() and letter != "\\" else "?" for letter in str(value))[:200]


def age(seconds: "float | None") -> str:
    """Return a task's age in words."""
    if seconds is None:
        return "not started"
    return f"{int(seconds)} s" if seconds < 120 else f"{int(seconds // 60)} min"
