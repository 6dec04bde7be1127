"""The census of an Airflow 3 worker, which asks no database, with stand-ins for /proc and the control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.components.census import drain
from tests.unit.make import HOSTS, Shell, inputs

GROUP = "/system.slice/airflow@worker.service"
LOGS = "/usr/local/airflow/logs"


class Node:
    """A host's /proc, with a worker whose pool has the processes 10, 11 …"""

    def __init__(self, folder: Path, sh: Shell) -> None:
        self.proc, self.groups, self.sh = folder / "proc", folder / "cgroup", sh
        self.procs = self.groups / GROUP[1:] / "cgroup.procs"
        self.procs.parent.mkdir(parents=True)
        self.process(1, 0, "celery worker")
        (self.proc / "uptime").write_text("5000.55 9000.00\n")

    def process(self, pid: int, parent: int, title: str, log: str = "", began: int = 0, ours: bool = True) -> None:
        own = self.proc / str(pid)
        (own / "fd").mkdir(parents=True)
        (own / "cmdline").write_bytes(title.encode() + b"\0\0\0")
        (own / "stat").write_text(f"{pid} (airflow) w) S {parent} {'0 ' * 17}{began} 4096\n")
        (own / "fd" / "0").symlink_to("/dev/null")
        if log:
            (own / "fd" / "7").symlink_to(log)
        if ours:
            with self.procs.open("a") as opened:
                opened.write(f"{pid}\n")

    def task(self, number: int, log: str, age: int = 12) -> None:
        """Add a process of the pool, with the task that it supervises."""
        self.process(10 + number, 1, "airflow supervisor: 0193", log)
        self.process(50 + number, 10 + number, f"airflow worker -- 0193-{number}", began=(5000 - age) * 100)

    def census(self, group: str = GROUP) -> tuple[int, str]:
        told = drain(inputs(), HOSTS["w1"], "worker")
        assert told is not None and told.by_processes
        script = told.census.replace("/proc", str(self.proc)).replace("/sys/fs/cgroup", str(self.groups))
        done = self.sh(f"set -eu\n( {script}\n)", programs={"systemctl": f"echo '{group}'"})
        return done.returncode, done.stdout.decode()


@pytest.fixture
def node(tmp_path: Path, sh: Shell) -> Node:
    return Node(tmp_path, sh)


def test_an_idle_worker(node: Node) -> None:
    node.process(10, 1, "airflow supervisor: 0193")  # its last title
    node.process(60, 1, "airflow worker -- 0193", ours=False)  # another service's
    assert node.census() == (0, "")


def test_a_unit_that_does_not_run(node: Node) -> None:
    node.task(1, f"{LOGS}/dag_id=d/run_id=r/task_id=t/attempt=1.log")
    assert node.census("") == (0, "")


def test_a_unit_whose_processes_cannot_be_listed_is_no_empty_answer(node: Node) -> None:
    code, told = node.census("/elsewhere")
    assert (code, told) == (1, "")


def test_a_task_is_named_by_the_log_that_its_supervisor_writes(node: Node) -> None:
    node.task(1, f"{LOGS}/dag_id=d/run_id=manual__2026-01-01T00:00:00+00:00/task_id=group.t/attempt=1.log", 119)
    assert node.census() == (0, "1 running task: d.group.t (manual__2026-01-01T00:00:00+00:00, 119 s)\n")


def test_several_tasks_mapped_ones_and_those_of_other_log_files(node: Node) -> None:
    node.task(1, f"{LOGS}/dag_id=d/run_id=r/task_id=t/map_index=3/attempt=2.log")
    node.task(2, "/elsewhere/d.log", 720)
    node.process(70, 1, "airflow task runner: d t r 4", began=499000)  # of an earlier version
    assert node.census() == (0, "3 running tasks: d.t[3] (r, 12 s), 0193-2 (12 min), d t r 4 (10 s)\n")


def test_what_a_task_forks_is_no_other_task(node: Node) -> None:
    node.task(1, f"{LOGS}/dag_id=d/run_id=r/task_id=t/attempt=1.log")
    node.process(80, 51, "airflow worker -- 0193-1", f"{LOGS}/dag_id=d/run_id=r/task_id=t/attempt=1.log")
    assert node.census()[1].startswith("1 running task: ")


def test_a_task_that_calls_itself_something_stays_in_its_line(node: Node) -> None:
    node.process(51, 1, "airflow worker -- a\n@killed b", f"{LOGS}/task_id=x\n@killed.log", began=498000)
    assert node.census() == (0, "1 running task: a @killed b (20 s)\n")
    node.task(2, f"{LOGS}/dag_id=d/run_id=r\n@killed /task_id=t/attempt=1.log")
    assert node.census()[1].count("\n") == 1


def test_a_long_list_is_cut(node: Node) -> None:
    for number in range(12):
        node.task(number, f"{LOGS}/dag_id=d/run_id=r/task_id=t{number}/attempt=1.log")
    told = node.census()[1]
    assert told.startswith("12 running tasks: d.t0 (r, 12 s), ") and told.endswith("d.t9 (r, 12 s), and 2 more\n")


def test_a_title_with_backslashes_is_one_line(node: Node) -> None:
    node.process(10, 1, "airflow supervisor: 0193")
    node.process(50, 10, "airflow worker -- a\\n@killed b", began=4988 * 100)
    assert node.census() == (0, "1 running task: a\\n@killed b (12 s)\n")
