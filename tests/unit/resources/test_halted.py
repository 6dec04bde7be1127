"""Units that stop before what they run would not survive a change."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.resources.celery import Places
from aerodrome.resources.drain import Drain
from aerodrome.resources.halted import Halted, Resumed, Wait
from aerodrome.resources.systemd import show
from aerodrome.resources.version import Installation
from tests.unit.make import Shell, plain

UNIT = "airflow@worker.service"
VERSION = Installation(("/opt/venv",), "3.3.2")
PLACES = Places(("/etc/default/airflow",), ("redis://b:6379/0", "redis://b:6379/0"))
MOVED = "AIRFLOW__CELERY__BROKER_URL=redis://a/0\n"
STATE = "LoadState=loaded\nUnitFileState=enabled\nActiveState={}\nSubState=running\n"
STOP = f"systemctl stop {UNIT}"


def test_the_probe_as_a_whole() -> None:
    parted = "\nprintf '\\n\\n'\n"
    both = Halted((VERSION, PLACES), UNIT)
    looks = f"{VERSION.look('halts=1')}{parted}{PLACES.look('halts=1')}{parted}"
    assert both.probe() == f'halts=\n{looks}[ -z "$halts" ] || {show(UNIT)}'


@dataclass(frozen=True)
class Said:
    """A cause that prints what it is given."""

    text: str

    def look(self, then: str = ":") -> str:
        return f"printf '%s' '{self.text}'" + (f"; {then}" if self.text else "")

    def reason(self, text: str) -> str:
        assert text == self.text.strip("\n")
        return text


@pytest.mark.parametrize("first", ["", "a", "a\n"])
@pytest.mark.parametrize("second", ["", "b", "b\nc=d\n"])
def test_what_the_probe_prints_is_parted(sh: Shell, first: str, second: str) -> None:
    halted = Halted((Said(first), Said(second)), UNIT)
    printed = sh(halted.probe(), programs={"systemctl": "printf 'ActiveState=active\\n'"}).stdout.decode()
    reason = ", ".join(filter(None, (first.strip(), second.strip())))
    wanted = [Change(f"stop {UNIT} ({reason})", STOP, interrupts=True)] if reason else []
    assert plain(halted.changes(Seen(printed))) == wanted


@pytest.mark.parametrize("active", ["active", "activating"])
def test_a_unit_halts_for_a_version_and_for_a_move(active: str) -> None:
    state = STATE.format(active)
    version, both = Halted((VERSION,), UNIT), Halted((VERSION, PLACES), UNIT)
    stop = Change(f"stop {UNIT} (Airflow 2.11.2 becomes 3.3.2)", STOP, interrupts=True)
    assert plain(version.changes(Seen(f"found 2.11.2\n\n\n{state}"))) == [stop]
    assert version.changes(Seen(f"\n\n{state}")) == []
    summaries = {
        f"found 2.11.2\n\n\n{MOVED}\n\n{state}": "Airflow 2.11.2 becomes 3.3.2, Celery's broker and results move",
        f"\n\n{MOVED}\n\n{state}": "Celery's broker and results move",
        f"\n\n\n\n{state}": "",
    }
    for text, reason in summaries.items():
        found = [change.summary for change in both.changes(Seen(text))]
        assert found == ([f"stop {UNIT} ({reason})"] if reason else [])


@pytest.mark.parametrize("state", [STATE.format("inactive"), STATE.format("failed"), ""])
def test_what_does_not_run_is_not_waited_for(state: str) -> None:
    assert Halted((PLACES,), UNIT, Wait("wait")).changes(Seen(f"{MOVED}\n\n{state}")) == []


def test_a_unit_that_runs_tasks_is_drained() -> None:
    drain = Drain("census", 5)
    (change,) = Halted((PLACES,), UNIT, drain=drain).changes(Seen(f"{MOVED}\n\n{STATE.format('active')}"))
    assert change.script == drain.stop(UNIT)


@pytest.mark.parametrize(
    "how, code, log", [("true", 0, ""), ("false", 1, f"start {UNIT}\n"), ("exit 3", 1, f"start {UNIT}\n")]
)
def test_a_wait_in_vain_starts_the_unit_again(sh: Shell, how: str, code: int, log: str) -> None:
    wait = Wait(f"cat <<'END' && {how}\nthe program\nEND", "wait for it")
    stop, waits = Halted((PLACES,), UNIT, wait).changes(Seen(f"{MOVED}\n\n{STATE.format('active')}"))
    assert (stop.script, waits.summary, waits.interrupts) == (STOP, "wait for it", True)
    done = sh(f"set -eu\n{waits.script}", programs={"systemctl": "echo $* >&2"})
    why = "this was because Celery's broker and results move\n" if code else ""
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (code, f"the program\n{why}", log)


def test_a_wait_whose_reader_has_gone_starts_the_unit_again(sh: Shell) -> None:
    wait = Wait("while echo waiting; do sleep 0.1; done", "wait for it")
    waits = Halted((PLACES,), UNIT, wait).changes(Seen(f"{MOVED}\n\n{STATE.format('active')}"))[1]
    done = sh(f"( set -eu\n{waits.script} ) | head -n1", programs={"systemctl": "echo $* >&2"})
    assert done.stderr.decode().endswith(f"start {UNIT}\n")


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_what_has_halted_in_vain_is_started_again(active: str) -> None:
    resumed = Resumed(UNIT)
    assert resumed.probe() == show(UNIT)
    script = f"systemctl reset-failed {UNIT} 2>/dev/null || true\nsystemctl start {UNIT}"
    assert plain(resumed.changes(Seen(STATE.format(active)))) == [Change(f"start {UNIT} again", script, restarts=UNIT)]


def test_what_runs_or_was_never_set_up_is_left_alone() -> None:
    assert Resumed(UNIT).changes(Seen(STATE.format("active"))) == []
    for file in ("", "disabled"):
        assert Resumed(UNIT).changes(Seen(STATE.format("inactive").replace("=enabled", f"={file}"))) == []
