"""Stopping a unit that runs tasks, in real shells with a stand-in for systemctl."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import NOTHING
from aerodrome.resources.drain import LONGEST, RECORDS, RUNTIME, UNKNOWN, Drain, Unreported
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.make import Shell, only_change

UNIT = "airflow@worker.service"
RUNS = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"


def here(script: str, records: Path) -> str:
    """Return the script with a record and a drop-in in folders of the test's own."""
    return f"set -eu\n{script}".replace(RECORDS, str(records)).replace(RUNTIME, f"{records}.units")


class Worker:
    """A unit whose tasks are the lines of a file, and which ends as it is told to."""

    def __init__(self, folder: Path) -> None:
        self.tasks, self.log, self.records = folder / "tasks", folder / "log", folder / "drains"
        self.tasks.touch()
        self.drain = Drain(f"cat {self.tasks}", 600)

    @property
    def stop(self) -> str:
        """What stops the unit, with its record in a folder of the test's own."""
        return here(self.drain.stop(UNIT), self.records)

    @property
    def record(self) -> str:
        path = self.records / UNIT
        return path.read_text() if path.exists() else ""

    def systemctl(self, stop: str, result: str = "success") -> dict[str, str]:
        return {
            "systemctl": f'echo "$1" >>{self.log}\ncase $1 in stop) {stop};; show) echo {result};; esac',
            "sleep": "exec /bin/sleep 0.01",
        }


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path)


def test_an_idle_worker_stops_without_a_word(sh: Shell, worker: Worker) -> None:
    done = sh(worker.stop, programs=worker.systemctl(":"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_what_is_waited_for_is_said_again_and_again(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    stop = f"/bin/sleep 1; : >{worker.tasks}; /bin/sleep 1"
    script = worker.stop.replace("% 150", "% 5")
    done = sh(script, programs=worker.systemctl(stop))
    lines = done.stdout.decode().splitlines()
    assert lines[0] == "@waiting for 1 running task: a.b (r, 5 s); at most 600 s"
    assert list(dict.fromkeys(lines[1:])) == [
        "@waiting for 1 running task: a.b (r, 5 s)",
        "@waiting for the unit to end, of which no task runs any more",
    ]
    assert done.returncode == 0


def test_the_limit_of_hosts_yaml_counts_for_this_stop_alone(sh: Shell, worker: Worker) -> None:
    # The unit still has the limit that was deployed before.
    units = f"{worker.records}.units/{UNIT}.d"
    assert sh(worker.stop, programs=worker.systemctl(f"cat {units}/* >{worker.tasks}.limit")).returncode == 0
    assert worker.tasks.with_suffix(".limit").read_text() == "[Service]\nTimeoutStopSec=600\n"
    assert list(Path(units).iterdir()) == []
    assert worker.log.read_text().split() == ["daemon-reload", "stop", "show", "daemon-reload"]


@pytest.mark.parametrize("limit, ends", [(600, True), (1, False)])
def test_a_process_that_does_not_wait_for_its_tasks_is_held_until_they_end(
    sh: Shell, worker: Worker, limit: int, ends: bool
) -> None:
    tasks, stopped = "1 running task: a.b (r, 5 s)", worker.tasks.with_suffix(".state")
    worker.tasks.write_text(f"{tasks}\n")
    drain = Drain(f"cat {worker.tasks}", limit, holds=True)
    with subprocess.Popen(["sleep", "100"]) as main:
        state = f"cut -d' ' -f3 /proc/{main.pid}/stat"
        systemctl = (
            f'case "$*" in *MainPID*) echo {main.pid};; show*) echo success;; '
            f"stop*) {state} >{stopped}; kill {main.pid};; esac"
        )
        # Its tasks end while it is held, or never.
        later = f'( until [ "$({state})" = T ]; do /bin/sleep 0.1; done; : >{worker.tasks} ) & ' if ends else ""
        done = sh(f"{later}{here(drain.stop(UNIT), worker.records)}", programs={"systemctl": systemctl})
        main.kill()
    assert stopped.read_text() == "T\n"
    first, *rest = done.stdout.decode().splitlines()
    assert first == f"@waiting for {tasks}; at most {limit} s"
    # Whatever systemd says of the stop: the process has ended, and systemd has killed the rest of its unit.
    assert rest == ([] if ends else [f"@killed {tasks}"])


def test_a_process_is_not_held_for_tasks_that_nobody_knows(sh: Shell, worker: Worker) -> None:
    drain = Drain("false", 600, holds=True)
    done = sh(here(drain.stop(UNIT), worker.records), programs=worker.systemctl(":"))
    assert done.stdout.decode().splitlines() == [f"@waiting for {UNKNOWN}; at most 600 s"]
    assert done.returncode == 0


def test_tasks_that_still_run_when_all_was_killed_are_lost(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 605 s)\n")
    done = sh(worker.stop, programs=worker.systemctl(":", "timeout"))
    assert done.stdout.decode().splitlines()[-1] == "@killed 1 running task: a.b (r, 605 s)"
    assert worker.record == "killed 1 running task: a.b (r, 605 s)\n"


def test_a_worker_that_hangs_after_its_tasks_loses_none(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    done = sh(worker.stop, programs=worker.systemctl(f": >{worker.tasks}", "timeout"))
    assert done.stdout.decode().splitlines()[-1] == (
        "@note: it did not stop by itself within 600 s, but no task was lost"
    )
    assert worker.record == ""


# Says in which state the unit is, too, which the file `state` has; a stop takes a while.
BY_PROCESSES = 'case "$*" in *SubState*) cat {folder}/state;; show*) echo timeout;; stop*) {stop};; esac'


@pytest.mark.parametrize(
    "stop, last",
    [
        (
            "/bin/sleep 1; echo stop-sigkill >{folder}/state; : >{folder}/tasks; /bin/sleep 1",
            "@killed 1 running task: a.b",
        ),
        (": >{folder}/tasks; /bin/sleep 1; echo stop-sigkill >{folder}/state; /bin/sleep 1", "@note: it did not stop"),
    ],
)
def test_of_processes_those_are_lost_that_ran_until_the_kill(sh: Shell, tmp_path: Path, stop: str, last: str) -> None:
    (tmp_path / "tasks").write_text("1 running task: a.b (r, 5 s)\n")
    (tmp_path / "state").write_text("stop-sigterm\n")
    drain = Drain(f"cat {tmp_path}/tasks", 600, by_processes=True)
    systemctl = BY_PROCESSES.format(folder=tmp_path, stop=stop.format(folder=tmp_path))
    programs = {"systemctl": systemctl, "sleep": "exec /bin/sleep 0.01"}
    done = sh(here(drain.stop(UNIT), tmp_path / "drains"), programs=programs)
    assert done.stdout.decode().splitlines()[-1].startswith(last)


def test_a_task_s_name_forges_no_line(sh: Shell, tmp_path: Path) -> None:
    drain = Drain("printf '%s\\n' 'a\\n@killed b'", 600)
    done = sh(
        here(drain.stop(UNIT), tmp_path / "drains"),
        programs={"systemctl": "case $1 in show) echo success;; esac"},
    )
    assert done.stdout.decode().splitlines() == ["@waiting for a\\n@killed b; at most 600 s"]


def test_where_nobody_knows_what_runs_a_kill_is_taken_to_be_one(sh: Shell, tmp_path: Path) -> None:
    drain = Drain("echo secret >&2; false", 600)
    programs = {"systemctl": "case $1 in show) echo timeout;; esac"}
    done = sh(here(drain.stop(UNIT), tmp_path / "drains"), programs=programs)
    assert done.stdout.decode().splitlines() == [f"@waiting for {UNKNOWN}; at most 600 s", f"@killed {UNKNOWN}"]
    assert done.stderr == b""


def test_a_stop_that_fails_is_a_failure(sh: Shell, worker: Worker) -> None:
    assert sh(f"{worker.stop}; echo on", programs=worker.systemctl("exit 4")).stdout == b""


def test_a_restart_is_a_stop_and_a_start(sh: Shell, worker: Worker) -> None:
    script = only_change(Service(UNIT, again=True, drain=worker.drain), RUNS).script
    assert script == f"{worker.drain.stop(UNIT)}\nsystemctl start {UNIT}"
    assert sh(here(script, worker.records), programs=worker.systemctl(":")).returncode == 0
    assert worker.log.read_text().split() == ["daemon-reload", "stop", "show", "daemon-reload", "start"]
    assert Stopped(UNIT, worker.drain).changes(Seen(RUNS))[0].script == worker.drain.stop(UNIT)


def test_a_stop_goes_on_without_its_controller_and_leaves_what_it_found(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    stop = f"/bin/sleep 0.5; cat {worker.records}/* >{worker.records}.meanwhile; /bin/sleep 0.5"
    script = worker.stop.replace("% 150", "% 5")
    done = sh(f"{{ {script}\necho ended >&2\n}} | head -n 0", programs=worker.systemctl(stop, "timeout"))
    assert Path(f"{worker.records}.meanwhile").read_text() == "interrupted 1 running task: a.b (r, 5 s)\n"
    assert (worker.record, done.stderr) == ("killed 1 running task: a.b (r, 5 s)\n", b"ended\n")
    assert (worker.records / UNIT).stat().st_mode & 0o777 == 0o600


def test_a_stop_that_its_tasks_ended_in_time_leaves_nothing(sh: Shell, worker: Worker) -> None:
    worker.tasks.write_text("1 running task: a.b (r, 5 s)\n")
    assert sh(worker.stop, programs=worker.systemctl("/bin/sleep 0.5")).returncode == 0
    assert worker.record == ""


SUCCESS = "case $1 in show) echo success;; esac"


def test_a_census_without_an_end_is_cut(sh: Shell, tmp_path: Path) -> None:
    drain = Drain("yes | tr -d '\\n'", 600)
    done = sh(here(drain.stop(UNIT), tmp_path / "drains"), programs={"systemctl": SUCCESS})
    assert (done.returncode, len(done.stdout)) == (0, len("@waiting for ; at most 600 s\n") + LONGEST)


KEPT = f"{RECORDS}/{UNIT}"


@pytest.mark.parametrize(
    "record, change",
    [
        ("", None),
        ("who wrote this?\n", None),
        (
            "killed 1 running task: a.b (it's, 5 s)\n",
            Change(
                f"take note: a stop of {UNIT} killed 1 running task: a.b (it's, 5 s)",
                f"printf '%s\\n' '@killed 1 running task: a.b (it'\"'\"'s, 5 s)'\nrm -f {KEPT}",
            ),
        ),
        (
            "interrupted 1 running task: a.b\nreboot\x1b[2J\n",
            Change(
                f"take note: a stop of {UNIT} was interrupted: the fate of 1 running task: a.b reboot [2J is unknown",
                f"printf '%s\\n' '@note: a stop of {UNIT} was interrupted: the fate of "
                f"1 running task: a.b reboot [2J is unknown'\nrm -f {KEPT}",
            ),
        ),
    ],
)
def test_what_nobody_has_heard_is_told_by_the_next_run(record: str, change: Change | None) -> None:
    told = Unreported(UNIT)
    assert told.probe() == f"[ ! -r {KEPT} ] || head -c 4100 {KEPT}"
    assert told.changes(Seen(record)) == ([replace(change, undo=NOTHING)] if change else [])
