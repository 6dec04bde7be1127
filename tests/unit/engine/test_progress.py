"""The events of a run, and the marks in the output of a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Event,
    Failed,
    Idle,
    StageBegan,
    StageEnded,
)
from aerodrome.core.plan import PlannedChange
from aerodrome.core.resource import Change
from aerodrome.engine.progress import Progress
from aerodrome.fleet.model import Deploy
from aerodrome.remote.limits import Limit
from tests.unit.engine.world import Heard, World, failed, stage

CHANGES = tuple(PlannedChange("s", "r", Change(f"change {number}", "true")) for number in range(12))


def progress(*parts: str) -> tuple[list[str], PlannedChange | None]:
    heard = Heard()
    reader = Progress(heard.emit, "h", CHANGES, (), "n0nce", Limit(None, None), Deploy())
    for part in parts:
        reader.read(part)
    return heard.lines, reader.current


def seconds_aside(events: Sequence[Event]) -> list[Event]:
    """Return events as if nothing had taken any time."""
    return [replace(event, seconds=0) if isinstance(event, ChangeEnded | StageEnded) else event for event in events]


def test_the_events_of_a_run_in_their_order(world: World) -> None:
    stages = [stage("nodes", w1=world.scripted("a")), stage("late", w1=world.scripted("b", "exit 3"))]
    (error,) = failed(lambda: world.perform(stages))
    a, b = ("nodes.step", f"file {world.folder}/a", "make a"), ("late.step", f"file {world.folder}/b", "make b")
    assert seconds_aside(world.heard.events) == [
        Doing("w1", "connect"),
        Doing("w1", "nodes.step (asked)"),
        Doing("w1", "late.step (asked)"),
        Idle("w1"),
        StageBegan("nodes", ("w1",)),
        Doing("w1", "connect"),
        Doing("w1", "nodes.step: make a"),
        ChangeBegan("w1", *a),
        ChangeEnded("w1", *a, seconds=0),
        Doing("w1", "asking again"),
        Doing("w1", "nodes.step (asked)"),
        Doing("w1", "late.step (asked)"),
        Idle("w1"),
        StageEnded("nodes", 0),
        StageBegan("late", ("w1",)),
        Doing("w1", "connect"),
        Doing("w1", "late.step: make b"),
        ChangeBegan("w1", *b),
        Failed.by(error),
        Idle("w1"),
        StageEnded("late", 0, ("w1",)),
    ]


def test_a_change_ends_when_the_next_one_begins(world: World) -> None:
    heard = Heard()
    reader = Progress(heard.emit, "h", CHANGES, (), "n0nce", Limit(None, None), Deploy())
    for mark in ("0", "1", "done"):
        reader.read(f"\n@n0nce {mark}\n")
    assert seconds_aside([event for event in heard.events if isinstance(event, ChangeBegan | ChangeEnded)]) == [
        ChangeBegan("h", "s", "r", "change 0"),
        ChangeEnded("h", "s", "r", "change 0", 0),
        ChangeBegan("h", "s", "r", "change 1"),
        ChangeEnded("h", "s", "r", "change 1", 0),
    ]


def test_changes_are_told_when_their_turn_comes() -> None:
    assert progress("\n@n0nce 0\nwords\n", "\n@n0nce 11\n", "\n@n0nce done\n") == (
        ["h s: change 0", "h s: change 11"],
        CHANGES[11],
    )


def test_the_answers_after_the_last_change_are_not_taken_for_changes() -> None:
    assert progress("\n@n0nce 0\n\n@n0nce do", "ne\n\n@n0nce 1\nanswer\n", "\n@n0nce 2\n")[0] == ["h s: change 0"]


def test_a_marker_that_comes_in_parts_is_told_once_and_whole() -> None:
    assert progress("\n@n0", "nce 1", "1", "\nwords")[0] == ["h s: change 11"]


@pytest.mark.parametrize("text", ["@other 1\n", "say @n0nce 1\n", "@n0nce 1 and more\n", "@n0nce x\n", "@n0nce 1"])
def test_what_is_no_marker_is_not_told(text: str) -> None:
    assert progress(text) == ([], None)
