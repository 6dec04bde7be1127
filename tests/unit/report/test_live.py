"""The live display: finished lines, and below them one line per busy host."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Failed,
    Healthy,
    Idle,
    RunEnded,
    StageBegan,
    StageEnded,
    StillWaiting,
    Waiting,
)
from aerodrome.report import live as module
from aerodrome.report import region, sink
from aerodrome.report.live import Live
from aerodrome.report.sink import data, say
from aerodrome.secrets import MASK, Redactor, Secret
from tests.screen import Screen
from tests.unit.report.test_sink import EVIL, FULL, GONE, Broken

HOSTS = ("db1", "w1", "worker10")


class Stream(io.StringIO):
    """A stream that is a terminal; `screen` is its content."""

    encoding = "utf-8"

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2

    def write(self, text: str) -> int:
        self.screen.write(text.replace("\n", "\r\n"))  # as a terminal driver does
        return len(text)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    shown = Screen()
    stream = Stream(shown)
    for at in (sink, region):  # pytest puts its own streams into `sys` between this and the test
        monkeypatch.setattr(at, "sys", SimpleNamespace(stderr=stream, stdout=stream))
    monkeypatch.setattr(sink, "redactor", Redactor())
    monkeypatch.setattr(module, "redactor", sink.redactor)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(os, "get_terminal_size", lambda _: (shown.width, shown.height))
    yield shown
    left = sink._region
    if left:
        sink.detach(left)
    assert left is None and sink._pauses == 0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A settable clock for rows."""
    now = [1000.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def shows(screen: Screen, what: Callable[[list[str]], object]) -> None:
    deadline = time.monotonic() + 20
    while not what(screen.lines):
        assert time.monotonic() < deadline, screen.lines
        threading.Event().wait(0.02)


def began(host: str, summary: str = "install Airflow", step: str = "node.venv") -> ChangeBegan:
    return ChangeBegan(host, step, "venv /opt/v", summary)


def ended(host: str, seconds: float, summary: str = "install Airflow", step: str = "node.venv") -> ChangeEnded:
    return ChangeEnded(host, step, "venv /opt/v", summary, seconds)


def test_a_line_says_what_a_host_is_at_and_for_how_long(screen: Screen, clock: list[float]) -> None:
    live = Live(HOSTS)
    live.emit(Doing("w1", "connect"))
    clock[0] += 3
    live.emit(Doing("w1", "node.venv (asked)"))
    assert live.lines(9) == ["  w1           3 s  node.venv (asked)"]
    live.emit(Doing("worker10", "node.venv: install Airflow"))
    live.emit(began("worker10"))
    live.emit(Doing("db1", "connect"))
    clock[0] += 61
    assert live.lines(9) == [
        "  db1         61 s  connect",
        "  w1          64 s  node.venv (asked)",
        "  worker10    61 s  node.venv: install Airflow",
    ]
    live.emit(Waiting("worker10", "waiting for apt, which process 7 holds"))  # still the same change
    live.emit(Idle("w1"))
    live.emit(Waiting("elsewhere", "waiting for ann"))
    assert live.lines(9)[1:] == [
        "  worker10    61 s  waiting for apt, which process 7 holds",
        "  elsewhere     0 s  waiting for ann",
    ]
    live.emit(ended("worker10", 61))
    live.emit(Doing("worker10", "asking again"))
    live.emit(Doing("worker10", "airflow@worker.service: no heartbeat yet"))
    clock[0] += 5
    assert live.lines(9)[1] == "  worker10     5 s  airflow@worker.service: no heartbeat yet"
    live.close()


def test_where_there_is_no_room_those_that_take_longest_are_shown(screen: Screen, clock: list[float]) -> None:
    names = [f"w{number}" for number in range(6)]
    live = Live(names)
    for name in reversed(names):
        live.emit(Doing(name, "connect"))
        clock[0] += 1
    assert live.lines(6) == [f"  {name}     {second} s  connect" for second, name in enumerate(names, 1)]
    assert live.lines(3) == ["  w4     5 s  connect", "  w5     6 s  connect", "  … and 4 more"]
    assert live.lines(1) == ["  … and 6 more"]
    live.close()


def test_what_is_finished_stays_above_what_goes_on_and_only_that_in_the_end(screen: Screen) -> None:
    live = Live(HOSTS)
    live.emit(StageBegan("nodes", ("w1", "worker10")))
    for host in ("w1", "worker10"):
        live.emit(Doing(host, "node.venv: install Airflow"))
        live.emit(began(host))
    at_work = ["  w1           0 s  node.venv: install Airflow", "  worker10     0 s  node.venv: install Airflow"]
    shows(screen, lambda lines: lines == ["nodes  (0 s)", *at_work])
    live.emit(ended("w1", 61.4))
    live.emit(began("w1", "write /x", "node.unit"))
    live.emit(ended("w1", 0.4, "write /x", "node.unit"))
    live.emit(StillWaiting({"worker10": "node.venv: install Airflow"}, 10))
    live.emit(Idle("w1"))
    done = ["  w1        node.venv             install Airflow  (61 s)", "  w1        node.unit             write /x"]
    shows(screen, lambda lines: lines == ["nodes  (0 s)", *done, at_work[1]])
    say("note: this, too")
    data("and what was asked for")
    live.emit(ended("worker10", 62))
    live.emit(Healthy("worker10", "roles.worker", "log port answers"))
    live.emit(Idle("worker10"))
    live.emit(StageEnded("nodes", 63))
    live.emit(RunEnded("changed", 63, ("w1", "worker10")))
    live.close()
    say("done: 2 hosts changed")
    assert screen.lines == [
        "nodes  (0 s)",
        *done,
        "note: this, too",
        "and what was asked for",
        "  worker10  node.venv             install Airflow  (62 s)",
        "  worker10  roles.worker          healthy: log port answers",
        "done: 2 hosts changed",
    ]
    assert screen.cursor
    assert "\x1b[?25l" not in screen.raw  # fab may be killed at any moment


def test_what_is_printed_is_never_above_what_is_over(screen: Screen) -> None:
    live = Live(HOSTS)
    live.emit(Waiting("w1", "waiting for ann"))
    shows(screen, lambda lines: len(lines) == 1)
    live.emit(Idle("w1"))
    before = len(screen.raw)
    say("no changes")
    assert "waiting for ann" not in screen.raw[before:]
    live.close()
    assert "waiting for ann" not in screen.raw[before:]
    assert screen.lines == ["no changes"]


def test_a_change_that_fails_or_is_left_is_named_with_its_time(screen: Screen, clock: list[float]) -> None:
    live = Live(HOSTS)
    for host in HOSTS:
        live.emit(began(host))
    clock[0] += 12
    live.emit(Failed("w1", "node.venv", "could not install Airflow (exit 1)"))
    live.emit(Idle("w1"))
    live.emit(ended("db1", 12))
    live.emit(Failed("db1", "node.venv", "its answer cannot be read"))  # of no change
    live.emit(Idle("db1"))
    live.close()
    assert screen.lines == [
        "  w1        node.venv             install Airflow  (12 s, failed)",
        "  db1       node.venv             install Airflow  (12 s)",
        "  worker10  node.venv             install Airflow  (12 s, not finished)",
    ]


def test_the_words_of_a_host_are_neither_obeyed_nor_markup_nor_secrets(screen: Screen) -> None:
    sink.redactor.know(Secret("hunter2"))
    live = Live(HOSTS)
    live.emit(Waiting("w1", f"[bold]hunter2[/] {EVIL[:10]}\n\tb"))
    shows(screen, lambda lines: lines == [rf"  w1           0 s  [bold]{MASK}[/] \x1b]0;title\x07\n b"])
    live.close()
    assert screen.lines == []
    assert "\x07" not in screen.raw and "hunter2" not in screen.raw


@pytest.mark.parametrize("width", [30, 12, 3, 1])
def test_a_narrow_terminal_cuts_lines(screen: Screen, width: int) -> None:
    screen.width = width
    live = Live(HOSTS)
    for host in HOSTS:
        live.emit(Waiting(host, "waiting for 日本語 " + "x" * 200))
    shows(screen, lambda lines: len(lines) == 3)
    screen.width = 60
    shows(screen, lambda lines: len(lines) == 3 and len(lines[0]) > 50 and lines[0].endswith("…"))
    live.close()
    assert screen.lines == []


def test_a_short_terminal_shows_as_much_as_there_is_room_for(screen: Screen) -> None:
    screen.height = 6
    names = [f"w{number}" for number in range(40)]
    live = Live(names)
    live.emit(StageBegan("nodes", tuple(names)))
    for name in names:
        live.emit(Doing(name, "connect"))
    shows(screen, lambda lines: lines[1:] and lines[-1] == "  … and 37 more")
    for name in names:
        live.emit(ended(name, 0))
    live.close()
    assert screen.lines == ["nodes  (0 s)", *(f"  {name:3}  node.venv             install Airflow" for name in names)]


def test_a_terminal_without_such_letters_gets_no_more_than_fits(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "encoding", "ascii")
    screen.width = 40
    live = Live(HOSTS)
    live.emit(Waiting("w1", "x" * 200))
    shows(screen, lambda lines: lines == ["  w1           0 s  " + "x" * 20])
    live.close()


def test_a_question_has_the_terminal_to_itself(screen: Screen) -> None:
    live = Live(HOSTS)
    with sink.paused():
        live.emit(Waiting("w1", "waiting for ann"))
        threading.Event().wait(1)
        say("Password?")
        assert screen.lines == ["Password?"]
    shows(screen, lambda lines: len(lines) == 2)
    with sink.paused(), sink.paused():
        assert screen.lines == ["Password?"]
    assert len(screen.lines) == 2
    live.close()
    assert screen.lines == ["Password?"]


@pytest.mark.parametrize("stream", [Broken(GONE), Broken(FULL)])
def test_a_terminal_that_goes_away_ends_nothing(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    live = Live(HOSTS)
    live.emit(StageBegan("nodes", ("w1",)))
    live.emit(began("w1"))
    shows(screen, lambda lines: len(lines) == 2)
    monkeypatch.setattr(Stream, "write", lambda self, text: stream.write(text))
    threading.Event().wait(0.6)  # time for it to draw
    live.emit(ended("w1", 1))
    live.close()
    assert "Traceback" not in capfd.readouterr().err


# Costs


def test_questions_that_are_answered_soon_show_nothing_and_slow_ones_are_shown(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLOW", 0.5)
    live = Live(HOSTS)
    live.emit(Doing("w1", "connect"))
    live.emit(Idle("w1"))
    threading.Event().wait(0.8)
    assert screen.raw == ""
    live.emit(Doing("w1", "connect"))
    shows(screen, lambda lines: lines == ["  w1           0 s  connect"])
    live.close()


def test_nothing_to_do_does_not_import_what_draws() -> None:
    program = """
import sys, time
from aerodrome.core.event import *
from aerodrome.report.live import Live
live = Live(["w1"])
for event in (Doing("w1", "connect"), Doing("w1", "node.x (asked)"), Idle("w1")):
    live.emit(event)
time.sleep(0.2)
live.close()
print(*sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TERM": "xterm"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "aerodrome.report.live" in done.stdout.split()
    assert not re.search(r"\brich\b|aerodrome.report.region", done.stdout)
