"""Stopping a unit that runs tasks, in real shells with a stand-in for systemctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.resources.base import Seen
from aerodrome.resources.drain import UNKNOWN, Drain
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.make import Shell, only_change

UNIT = "airflow@worker.service"
RUNS = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"


class Worker:
    """A unit whose tasks are the lines of a file, and which ends as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.tasks, self.log = folder / "tasks", folder / "log"
        self.tasks.touch()
        self.drain = Drain(f"cat {self.tasks}", 600)

    def systemctl(self, stop: str, result: str = "success") -> dict[str, str]:
        return {
            "systemctl": f'echo "$1" >>{self.log}\ncase $1 in stop) {stop};; show) echo {result};; esac',
            "sleep": "exec /bin/sleep 0.01",
        }


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def test_an_idle_worker_stops_without_a_word(sh: Shell, worker: Worker) -> None:
    done = sh(f"set -eu\n{worker.drain.stop(UNIT)}", programs=worker.systemctl(":"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_is_waited_for_is_said_again_and_again(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    stop = f"/bin/sleep 1; : >{worker.tasks}; /bin/sleep 1"
    script = worker.drain.stop(UNIT).replace("% 150", "% 5")
    done = sh(f"set -eu\n{script}", programs=worker.systemctl(stop))
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "@waiting for 1 running task: a.b (r, 5 s); at most 600 s"
    assert list(dict.fromkeys(lines[1:])) == [
        "@waiting for 1 running task: a.b (r, 5 s)",
        "@waiting for the unit to end, of which no task runs any more",
    ]
    assert done.returncode == 0


def test_tasks_that_still_run_when_all_was_killed_are_lost(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 605 s)\n")
    done = sh(f"set -eu\n{worker.drain.stop(UNIT)}", programs=worker.systemctl(":", "timeout"))
    assert done.stdout.decode().splitlines()[-1] == "@killed 1 running task: a.b (r, 605 s)"


def test_a_worker_that_hangs_after_its_tasks_loses_none(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    done = sh(f"set -eu\n{worker.drain.stop(UNIT)}", programs=worker.systemctl(f": >{worker.tasks}", "timeout"))
    assert done.stdout.decode().splitlines()[-1] == (
        "@note: it did not end by itself within 600 s, but no task was lost"
    )


# Says in which state the unit is, too, which the file `state` has; a stop takes a while.
BY_PROCESSES = 'case "$*" in *SubState*) cat {folder}/state;; show*) echo timeout;; stop*) {stop};; esac'


@pytest.mark.parametrize(
    "stop, last",
    [
        (
            "/bin/sleep 1; echo stop-sigkill >{folder}/state; : >{folder}/tasks; /bin/sleep 1",
            "@killed 1 running task: a.b",
        ),
        (": >{folder}/tasks; /bin/sleep 1; echo stop-sigkill >{folder}/state; /bin/sleep 1", "@note: it did not end"),
    ],
)
def test_of_processes_those_are_lost_that_ran_until_the_kill(sh: Shell, tmp_path: Path, stop: str, last: str) -> None:
    (tmp_path / "tasks").write_text("1 running task: a.b (r, 5 s)\n")
    (tmp_path / "state").write_text("stop-sigterm\n")
    drain = Drain(f"cat {tmp_path}/tasks", 600, by_processes=True)
    systemctl = BY_PROCESSES.format(folder=tmp_path, stop=stop.format(folder=tmp_path))
    programs = {"systemctl": systemctl, "sleep": "exec /bin/sleep 0.01"}
    done = sh(f"set -eu\n{drain.stop(UNIT)}", programs=programs)
    assert done.stdout.decode().splitlines()[-1].startswith(last)


def test_where_nobody_knows_what_runs_a_kill_is_taken_to_be_one(sh: Shell) -> None:
    drain = Drain("echo secret >&2; false", 600)
    programs = {"systemctl": "case $1 in show) echo timeout;; esac"}
    done = sh(f"set -eu\n{drain.stop(UNIT)}", programs=programs)
    assert done.stdout.decode().splitlines() == [f"@waiting for {UNKNOWN}; at most 600 s", f"@killed {UNKNOWN}"]
    assert done.stderr == b""


def test_a_stop_that_fails_is_a_failure(sh: Shell, worker: Worker) -> None:
    assert sh(f"set -eu\n{worker.drain.stop(UNIT)}; echo on", programs=worker.systemctl("exit 4")).stdout == b""


def test_a_restart_is_a_stop_and_a_start(sh: Shell, worker: Worker) -> None:
    script = only_change(Service(UNIT, again=True, drain=worker.drain), RUNS).script
    assert script == f"{worker.drain.stop(UNIT)}\nsystemctl start {UNIT}"
    assert sh(f"set -eu\n{script}", programs=worker.systemctl(":")).returncode == 0
    assert worker.log.read_text().split() == ["stop", "show", "start"]
    assert Stopped(UNIT, worker.drain).changes(Seen(RUNS))[0].script == worker.drain.stop(UNIT)
