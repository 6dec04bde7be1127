"""A run's events for programs."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from aerodrome.core import event as events
from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Event,
    Failed,
    Idle,
    Note,
    RunBegan,
    RunEnded,
    StageBegan,
    StageEnded,
    StillWaiting,
    Waiting,
)
from aerodrome.report import json_lines, sink
from aerodrome.report.json_lines import JsonLines
from aerodrome.report.sink import NoOutput
from aerodrome.secrets import MASK, Redactor, Secret
from tests.unit.report.test_sink import EVIL, FULL, GONE, Broken

Capture = pytest.CaptureFixture[str]
SECRET = 'p@ss"word\\x'


@pytest.fixture(autouse=True)
def redactor(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    fresh = Redactor()
    for module in (sink, json_lines):
        monkeypatch.setattr(module, "redactor", fresh)
    return fresh


def printed(capsys: Capture, *given: Event) -> list[dict[str, Any]]:
    lines = JsonLines()
    for each in given:
        lines.emit(each)
    lines.close()
    out, err = capsys.readouterr()
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def test_an_event_is_a_line_and_those_of_a_host_say_in_which_stage(capsys: Capture) -> None:
    documents = printed(
        capsys,
        RunBegan("20261124T181500Z-1f3a", "ann@laptop", "fab deploy", ("w1",)),
        Doing("w1", "connect"),
        Note("w1", "its clock is fast"),
        Idle("w1"),
        StageBegan("workers", ("w1",)),
        ChangeBegan("w1", "node.venv", "venv /opt/v", "install Airflow"),
        ChangeEnded("w1", "node.venv", "venv /opt/v", "install Airflow", 61.5),
        StillWaiting({"w1": "asking again"}, 70),
        StageEnded("workers", 71.25),
        Waiting("db1", "waiting for ann"),
        RunEnded("changed", 72.0, ("w1",)),
    )
    assert all(document.pop("time").endswith("Z") for document in documents)
    change = {"host": "w1", "step": "node.venv", "resource": "venv /opt/v", "summary": "install Airflow"}
    assert documents == [
        {
            "event": "begin",
            "run": "20261124T181500Z-1f3a",
            "performer": "ann@laptop",
            "command": "fab deploy",
            "hosts": ["w1"],
        },
        {"event": "note", "host": "w1", "text": "its clock is fast", "stage": None},
        {"event": "stage", "stage": "workers", "hosts": ["w1"]},
        {"event": "change", **change, "stage": "workers"},
        {"event": "change_end", **change, "seconds": 61.5, "stage": "workers"},
        {"event": "still_waiting", "doing": {"w1": "asking again"}, "seconds": 70},
        {"event": "stage_end", "stage": "workers", "seconds": 71.25, "failed": []},
        {"event": "waiting", "host": "db1", "why": "waiting for ann", "stage": None},
        {"event": "end", "outcome": "changed", "seconds": 72.0, "changed": ["w1"], "errors": []},
    ]


def test_the_end_is_the_last_line_even_if_threads_go_on(capsys: Capture) -> None:
    documents = printed(capsys, RunEnded("interrupted", 1), Waiting("w1", "waiting for apt"), RunEnded("failed", 2))
    assert [document["event"] for document in documents] == ["end"]


def test_each_kind_of_event_that_is_printed_is_documented() -> None:
    names = {kind.name for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, Event)}
    described = {line.split()[0] for line in str(json_lines.__doc__).splitlines() if line.startswith("    ")}
    assert described == names - {"", Doing.name, Idle.name}


def test_words_of_a_host_are_escaped_and_stay_what_they_are(capsys: Capture, redactor: Redactor) -> None:
    redactor.know(Secret(SECRET))
    lines = JsonLines()
    lines.emit(Failed("w1", "s", f"{EVIL}\n{SECRET} é", detail=f'"{SECRET}"'))
    lines.emit(StillWaiting({"w1": SECRET}, 10))
    out = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert "é" in out
    failure, waits = map(json.loads, out.splitlines())
    assert (failure["message"], failure["detail"]) == (f"{EVIL}\n{MASK} é", f'"{MASK}"')
    assert waits["doing"] == {"w1": MASK}


@pytest.mark.parametrize("error, why", [(GONE, ""), (FULL, "No space left on device")])
def test_a_reader_that_has_gone_ends_no_change(monkeypatch: pytest.MonkeyPatch, error: OSError, why: str) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(error))
    lines = JsonLines()
    for _ in range(3):
        lines.emit(Waiting("w1", "waiting for apt"))
    mended = io.StringIO()
    monkeypatch.setattr(sys, "stdout", mended)
    lines.emit(Waiting("w1", "waiting for apt"))  # nothing after a gap
    assert mended.getvalue() == ""
    if why:
        with pytest.raises(NoOutput, match=why):
            lines.close()
    else:
        lines.close()
