"""The program that lists the tasks on a host, run with a stand-in for the database."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from aerodrome.components.census import drain
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

PSYCOPG2 = """\
class Error(Exception):
    pass

class Cursor:
    def execute(self, query, values=()):
        if query.startswith("SET LOCAL statement_timeout"):
            return
        self.columns = "information_schema" in query
        if not self.columns:
            print(query, values[0][0], file=open("asked", "w"))
    def fetchall(self):
        return [(name,) for name in COLUMNS] if self.columns else ROWS

class Connection:
    def cursor(self):
        return Cursor()

def connect(url, connect_timeout):
    if BROKEN:
        raise Error(BROKEN)
    return Connection()
"""
NEW, OLD = ["run_id", "map_index", "last_heartbeat_at"], ["execution_date"]


def census(folder: Path, columns: list[str], rows: list[object], broken: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program of worker w1 with these answers from its database."""
    told = drain(inputs(fleet(version="2.11.2")), HOSTS["w1"], "worker")
    assert told is not None and not told.by_processes
    program = told.census.partition("<<'END_OF_FILE'\n")[2].removesuffix("END_OF_FILE")
    assert "airflow-worker" in told.census.partition("<<")[0]  # with the variables that only its unit reads
    (folder / "psycopg2.py").write_text(f"COLUMNS, ROWS, BROKEN = {columns}, {rows}, {broken!r}\n{PSYCOPG2}")
    environment = {**os.environ, "PYTHONPATH": str(folder), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "x://u:s3cret@h/d"}
    return subprocess.run(
        [sys.executable, "-"], input=program, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    "rows, told",
    [
        ([], ""),
        ([("d", "t", "manual__1", -1, 59.4)], "1 running task: d.t (manual__1, 59 s)\n"),
        (
            [("d", "t", "r", 3, 720.0), ("e", "u", "r\n2\x1b]0;x\\n", -1, None)],
            "2 running tasks: d.t[3] (r, 12 min), e.u (r?2?]0;x?n, not started)\n",
        ),
    ],
)
def test_the_tasks_that_run_in_one_line(tmp_path: Path, rows: list[object], told: str) -> None:
    done = census(tmp_path, NEW, rows)
    assert (done.stdout, done.returncode) == (told, 0), done.stderr


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    told = census(tmp_path, NEW, [("d", f"t{number}", "r", -1, 1.0) for number in range(13)]).stdout
    assert told.startswith("13 running tasks: d.t0 (r, 1 s), ") and told.endswith("d.t9 (r, 1 s), and 3 more\n")


def test_the_columns_are_those_that_the_database_has(tmp_path: Path) -> None:
    census(tmp_path, NEW, [])
    asked = (tmp_path / "asked").read_text()
    assert asked == (
        "SELECT task.dag_id, task.task_id, task.run_id, task.map_index,"
        " extract(epoch FROM now() - task.start_date)::float FROM task_instance task"
        " WHERE task.state = 'running' AND task.hostname = ANY(%s)"
        " AND coalesce(task.last_heartbeat_at, task.start_date, now()) > now() - 60 * interval '1 second'"
        " ORDER BY task.start_date, task.dag_id, task.task_id w1\n"
    )
    census(tmp_path, OLD, [])
    asked = (tmp_path / "asked").read_text()
    assert "task.task_id, task.execution_date, -1, extract" in asked
    assert "FROM task_instance task LEFT JOIN job ON job.id = task.job_id WHERE" in asked
    assert "coalesce(job.latest_heartbeat, task.start_date, now())" in asked


def test_a_database_that_is_not_migrated_yet_runs_nothing(tmp_path: Path) -> None:
    assert census(tmp_path, [], []).stdout == ""


def test_a_database_that_refuses_is_no_empty_answer(tmp_path: Path) -> None:
    done = census(tmp_path, NEW, [], "password s3cret refused")
    assert (done.returncode, done.stdout, "s3cret" in done.stderr) == (1, "", False)


def test_only_what_runs_tasks_is_drained() -> None:
    assert drain(inputs(), HOSTS["s1"], "scheduler") is None
    local = inputs(fleet(executor="LocalExecutor", roles={**ROLES_OF_FLEET, "worker": ()}))
    assert drain(local, HOSTS["s1"], "scheduler") is not None
    assert drain(local, HOSTS["s1"], "triggerer") is None
