"""How it is taken back that units were enabled, started, stopped and restarted."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.undo import Undo
from aerodrome.resources.drain import Drain
from aerodrome.resources.running import active, after_enable, after_end, after_restart, after_start, after_stop, enabled
from tests.unit.make import Shell

UNIT = "airflow@worker.service"
START = f"systemctl reset-failed {UNIT} 2>/dev/null || true\nsystemctl start {UNIT}"
ACTIVE = (
    f"case $(systemctl show -p ActiveState --value {UNIT}) in active|reloading|activating) echo active ;; "
    "*) echo inactive ;; esac"
)
ENABLED = f'[ "$(systemctl is-enabled {UNIT} 2>/dev/null)" = enabled ] && echo enabled || echo disabled'


def test_the_ways_back_as_a_whole() -> None:
    assert after_enable(UNIT) == Undo(f"disable {UNIT}", f"systemctl disable {UNIT}", ENABLED, "disabled", "enabled")
    assert after_start(UNIT, reads=("/a",)) == Undo(
        f"stop {UNIT}", f"systemctl stop {UNIT}", ACTIVE, "inactive", "active", after=("/a",), interrupts=True
    )
    drain = Drain("census", 60)
    assert after_start(UNIT, drain).script == drain.stop(UNIT)
    stopped = Undo(f"start {UNIT}", START, ACTIVE, "active", "inactive", late=True, restarts=UNIT)
    assert after_stop(UNIT) == after_end(UNIT, stopped=True, disabled=False) == stopped
    assert after_end(UNIT, stopped=False, disabled=True) == Undo(
        f"enable {UNIT}", f"systemctl enable {UNIT}", ENABLED, "enabled", "disabled"
    )
    assert after_end(UNIT, stopped=True, disabled=True) == Undo(
        f"enable and start {UNIT}",
        f"systemctl enable {UNIT}\n{START}",
        f'echo "$({ENABLED}) $({ACTIVE})"',
        "enabled active",
        "disabled inactive",
        late=True,
        restarts=UNIT,
    )


@pytest.mark.parametrize(
    "state, word",
    [
        ("active", "active"),
        ("activating", "active"),
        ("failed", "inactive"),
        ("deactivating", "inactive"),
        ("", "inactive"),
    ],
)
def test_whether_a_unit_runs(sh: Shell, state: str, word: str) -> None:
    assert sh(active(UNIT), programs={"systemctl": f"echo {state}"}).stdout.decode() == f"{word}\n"


@pytest.mark.parametrize("state", ["enabled", "disabled", "static", ""])
def test_whether_a_unit_is_enabled(sh: Shell, state: str) -> None:
    word = "enabled" if state == "enabled" else "disabled"
    assert sh(enabled(UNIT), programs={"systemctl": f"echo {state}"}).stdout.decode() == f"{word}\n"


def test_a_unit_that_runs_restarts_if_what_it_read_is_another_now(sh: Shell, tmp_path: Path) -> None:
    read, record, log = tmp_path / "it's", tmp_path / "record of it", tmp_path / "log"
    read.write_text("x")
    record.write_text("InvocationID=1\nreads 1 2 3 /a\ncontent abc /a\n")
    undo = after_restart(UNIT, f"echo restart >>'{log}'", ("/a",), f'cat "{read}"', str(record))
    runs, not_so = {"systemctl": "exit 0"}, {"systemctl": "exit 3"}
    assert sh(undo.state, programs=runs).stdout == b"outdated\n"
    assert sh(undo.state, programs=not_so).stdout == b"current\n"
    read.write_text("reads 1 2 3 /a\n")
    assert sh(undo.state, programs=runs).stdout == b"current\n"
    assert sh(f"set -eu\n{undo.script}", programs=not_so).returncode == 0
    assert not log.exists()  # it was stopped since, and stays so
    assert sh(f"set -eu\n{undo.script}", programs=runs).returncode == 0
    assert log.read_text() == "restart\n"
