"""The events of a run, and their form for programs."""

from __future__ import annotations

import dataclasses
import json

import pytest

from aerodrome.core import event as module
from aerodrome.core.event import ChangeEnded, Event, Failed, Idle, RunBegan, RunEnded, StillWaiting, as_dict
from aerodrome.errors import AerodromeError, HostError, InvalidInput

KINDS = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Event)]
NOON = 1_795_521_600.25  # 2026-11-24 12:00:00.250 UTC


def test_each_kind_has_a_name_of_its_own() -> None:
    names = [kind.name for kind in KINDS if kind is not Event]
    assert len(names) == len({*names}) == 14
    assert all(names)


def test_no_field_hides_what_each_event_says_as_json() -> None:
    for kind in KINDS:
        assert "event" not in {field.name for field in dataclasses.fields(kind)}


def test_events_that_differ_in_time_only_are_equal_and_each_has_its_time() -> None:
    early, late = Idle("w1", time=1.0), Idle("w1", time=2.0)
    assert early == late != Idle("w2")
    assert (early.time, late.time) == (1.0, 2.0)
    assert Idle("w1").time > NOON - 1e8


@pytest.mark.parametrize(
    "event, document",
    [
        (
            RunBegan("20261124T120000Z-1f3a", "ann@laptop", "fab deploy", ("w1", "w2"), time=NOON),
            {
                "time": "2026-11-24T12:00:00.250Z",
                "event": "begin",
                "run": "20261124T120000Z-1f3a",
                "performer": "ann@laptop",
                "command": "fab deploy",
                "hosts": ["w1", "w2"],
            },
        ),
        (
            ChangeEnded("w1", "node.venv", "venv /opt/v", "install Airflow", 61.23456, time=NOON),
            {
                "time": "2026-11-24T12:00:00.250Z",
                "event": "change_end",
                "host": "w1",
                "step": "node.venv",
                "resource": "venv /opt/v",
                "summary": "install Airflow",
                "seconds": 61.235,
            },
        ),
        (
            StillWaiting({"w1": "connect"}, 10, time=NOON),
            {"time": "2026-11-24T12:00:00.250Z", "event": "still_waiting", "doing": {"w1": "connect"}, "seconds": 10},
        ),
        (
            Failed("", "", "m", time=NOON),
            {
                "time": "2026-11-24T12:00:00.250Z",
                "event": "failed",
                "host": None,
                "step": None,
                "message": "m",
                "hint": None,
                "detail": None,
            },
        ),
        (
            RunEnded("failed", 2.0, ("w1",), (Failed("w1", "s", "m", "h", "d"),), time=NOON),
            {
                "time": "2026-11-24T12:00:00.250Z",
                "event": "end",
                "outcome": "failed",
                "seconds": 2.0,
                "changed": ["w1"],
                "errors": [{"host": "w1", "step": "s", "message": "m", "hint": "h", "detail": "d"}],
            },
        ),
    ],
)
def test_an_event_as_programs_read_it(event: Event, document: dict[str, object]) -> None:
    assert as_dict(event) == document
    assert json.loads(json.dumps(as_dict(event))) == document


@pytest.mark.parametrize(
    "error, event",
    [
        (HostError("w1", "node.x", "m", "h", "d"), Failed("w1", "node.x", "m", "h", "d")),
        (AerodromeError("m", "h"), Failed("", "", "m", "h")),
        (InvalidInput(["a", "b"]), Failed("", "", "a\nb")),
    ],
)
def test_an_error_as_an_event(error: AerodromeError, event: Failed) -> None:
    assert Failed.by(error) == event
