"""Which run is taken back, and what its hosts say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aerodrome.core import entries, plan
from aerodrome.core.entries import Place, written
from aerodrome.core.history import Past
from aerodrome.core.plan import PlannedChange
from aerodrome.core.resource import Change
from aerodrome.core.undo import Undo
from aerodrome.engine import undo
from aerodrome.engine.undo import check_part, recorded
from aerodrome.errors import FleetError, InvalidInput
from tests.unit.engine.world import World
from tests.unit.make import HOSTS, Shell

ONE, TWO, THREE = (f"2026112{number}T181500Z-1f3a" for number in (1, 2, 3))
W1 = HOSTS["w1"]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(plan, "LOCK", "")
    monkeypatch.setattr(entries, "LOCK", "")
    monkeypatch.setattr(entries, "ROOT", f"{tmp_path}/undo")
    return World(tmp_path)


def known(monkeypatch: pytest.MonkeyPatch, *pasts: Past) -> None:
    monkeypatch.setattr(undo, "history", lambda connections, last: list(pasts))
    monkeypatch.setattr(undo, "past", lambda connections, part: next(each for each in pasts if part in each.run))


def record(sh: Shell, run: str) -> None:
    change = Change("write /x", "s", undo=Undo("put back /x", "true", "echo left", "before", "left"))
    apply = written([PlannedChange("step", "file /x", change)], Place(run, 1, "stage"), str)
    assert sh(f"set -eu\n{apply.script}", apply.payload).returncode == 0


def past(run: str, outcome: str = "changed", runbook: str = "deploy", **given: Any) -> Past:
    changed = {"w1": ["file /x"]} if outcome in ("changed", "failed") else {}
    return Past(run, outcome=outcome, runbook=runbook, **{"changed": changed, **given})


@pytest.mark.parametrize("part", ["../x", "a b", "x", "1f3a\n", "f" * 22])
def test_what_is_no_part_of_a_name_is_refused(part: str) -> None:
    with pytest.raises(InvalidInput, match="^--run: .* is not a part of the name of a run$"):
        check_part(part)


def test_the_last_run_that_changed_anything_is_taken_back(
    sh: Shell, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, past(THREE, "unchanged"), past(TWO, "held"), past(ONE))
    record(sh, ONE)
    chosen, found = recorded(world.run, [W1], "", False)
    assert chosen.run == ONE
    assert [(each.number, each.change) for each in found["w1"].of("back")] == [("0001", "write /x")]


def test_a_run_that_was_killed_before_it_changed_anything_is_passed_over(
    sh: Shell, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    known(monkeypatch, past(THREE, "killed"), past(TWO, "killed"), past(ONE))
    record(sh, TWO)
    assert recorded(world.run, [W1], "", False)[0].run == TWO


def test_an_undo_is_not_undone_and_one_that_did_not_end_goes_on(
    sh: Shell, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(sh, ONE)
    known(monkeypatch, past(TWO, runbook=f"undo of {ONE}"), past(ONE))
    with pytest.raises(InvalidInput, match=f"the last run that changed anything is {TWO}, the undo of {ONE}"):
        recorded(world.run, [W1], "", False)
    for outcome in ("killed", "failed"):
        known(monkeypatch, past(TWO, outcome, f"undo of {ONE}"), past(ONE))
        assert recorded(world.run, [W1], "", False)[0].run == ONE


def test_a_run_that_goes_on_is_not_undone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, past(ONE, "running"))
    for part in ("", "1f3a"):
        with pytest.raises(InvalidInput, match=f"^{ONE} is still running$"):
            recorded(world.run, [W1], part, False)


def test_nothing_in_the_history(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch)
    with pytest.raises(InvalidInput, match="^no run in the history has changed anything$"):
        recorded(world.run, [W1], "", False)


def test_a_host_that_lies_is_an_error_of_that_host_alone(
    sh: Shell, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known(monkeypatch, past(ONE))
    record(sh, ONE)
    head = json.dumps({"stage": []}) + "\n"
    (tmp_path / "undo" / ONE / "0001").write_text(f"aerodrome-undo {len(head)} 0 0\n{head}")
    with pytest.raises(FleetError) as caught:
        recorded(world.run, [W1], ONE, False)
    (error,) = caught.value.failures
    assert (error.host, error.step) == ("w1", "undo")
    assert error.message.startswith("cannot parse the host's answer (")
