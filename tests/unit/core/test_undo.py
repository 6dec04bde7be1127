"""What of a run can still be taken back, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.core.undo import Entry, Verdict, turn, verdicts

FILE = Entry("0001", 1, "settings", "node.environment", "file /e", "write /e", "put back /e", "", "f", "old", "new")
LATER = replace(FILE, number="0002", place=2, before="new", left="newer")
RESTART = Entry(
    "0003", 3, "workers", "roles.worker", "unit w", "restart w", "restart w", "", "r", "current", "outdated",
    ("/e", "/other"), True, "w", True,
)  # fmt: skip
STOP = Entry("0001", 1, "stop", "halt", "halt w", "stop w", "start w", "", "a", "active", "inactive", (), True, "w")
START = Entry(
    "0003", 3, "workers", "roles.worker", "unit w", "start w", "stop w", "", "a", "inactive", "active", ("/e",)
)
NO_WAY = Entry("0009", 1, "machines", "node.packages", "packages x", "install x", "")


@pytest.mark.parametrize(
    "state, force, verdict",
    [
        ("new", False, "back"),
        ("old", False, "nothing"),  # it was never made, or has been taken back
        ("old", True, "nothing"),
        ("edited", False, "changed"),
        ("edited", True, "back"),
        ("", False, "changed"),
    ],
)
def test_one_change(state: str, force: bool, verdict: Verdict) -> None:
    assert verdicts([FILE], {"0001": state}, force) == {"0001": verdict}


def test_what_has_no_way_back() -> None:
    assert verdicts([NO_WAY], {"0009": ""}) == {"0009": "none"}


@pytest.mark.parametrize(
    "state, first, second",
    [
        ("newer", "back", "back"),
        ("new", "back", "nothing"),  # killed between the two, on the way there or back
        ("old", "nothing", "nothing"),
        ("edited", "changed", "changed"),
    ],
)
def test_a_thing_that_was_changed_twice_is_taken_back_twice(state: str, first: Verdict, second: Verdict) -> None:
    assert verdicts([FILE, LATER], {"0001": state, "0002": state}) == {"0001": first, "0002": second}


def test_what_was_changed_and_changed_back_needs_nothing() -> None:
    there, back = replace(FILE, left="new"), replace(LATER, before="new", left="old")
    assert verdicts([there, back], {"0001": "old", "0002": "old"}) == {"0001": "nothing", "0002": "nothing"}


@pytest.mark.parametrize(
    "file, unit, verdict",
    [
        ("new", "current", "back"),  # its file is put back
        ("old", "outdated", "back"),  # an undo was killed before it got to the restart
        ("old", "current", "nothing"),
    ],
)
def test_a_unit_restarts_if_what_it_reads_is_put_back(file: str, unit: str, verdict: Verdict) -> None:
    assert verdicts([FILE, RESTART], {"0001": file, "0003": unit})["0003"] == verdict


def test_a_unit_that_was_restarted_twice_restarts_once() -> None:
    entries = [FILE, RESTART, replace(RESTART, number="0004", place=4)]
    states = {"0001": "new", "0003": "current", "0004": "current"}
    assert verdicts(entries, states) == {"0001": "back", "0003": "nothing", "0004": "back"}


def test_a_unit_that_was_stopped_and_started_does_both_again_if_its_files_move() -> None:
    file = replace(FILE, number="0002", place=2)
    entries = [STOP, file, START]
    assert verdicts(entries, {"0001": "active", "0002": "new", "0003": "active"}) == dict.fromkeys(
        ("0001", "0002", "0003"), "back"
    )
    # Killed when it had stopped, and its file was back.
    assert verdicts(entries, {"0001": "inactive", "0002": "old", "0003": "inactive"}) == {
        "0001": "back",
        "0002": "nothing",
        "0003": "nothing",
    }
    assert set(verdicts(entries, {"0001": "active", "0002": "old", "0003": "active"}).values()) == {"nothing"}


def test_files_come_back_from_the_last_stage_on_and_then_units_start() -> None:
    entries = [FILE, LATER, START, STOP, RESTART, replace(RESTART, place=4)]
    assert [(each.place, each.summary) for each in sorted(entries, key=turn)] == [
        (3, "stop w"),
        (2, "put back /e"),
        (1, "put back /e"),
        (1, "start w"),
        (3, "restart w"),
        (4, "restart w"),
    ]
