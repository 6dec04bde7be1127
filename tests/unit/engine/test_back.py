"""A runbook that leads back as a whole if a stage fails, or on Ctrl-C."""

from __future__ import annotations

import pytest

from aerodrome.core.event import Note
from aerodrome.engine.gate import Gatekeeper
from aerodrome.engine.perform import WayBackFailed
from tests.unit.engine.world import World, down, failed, stage


def notes(world: World) -> list[str]:
    return [event.text for event in world.heard.events if isinstance(event, Note)]


def outcome(world: World) -> object:
    return world.lock.history[-1]["outcome"]


def test_a_failure_leads_back_stage_by_stage_with_gates(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []
    monkeypatch.setattr(Gatekeeper, "wait", lambda self, host, gate: waited.append(host.name))
    back = [stage("halt", s1=world.scripted("halted")), stage("start", True, s1=world.scripted("started"))]
    errors = failed(lambda: world.perform([stage("migrate", s1=world.scripted("a", "exit 1"))], back))
    assert [(error.host, error.step) for error in errors] == [("s1", "migrate.step")]
    assert world.heard.lines[2:] == [
        " waits: note: this failed: going back",
        "stage halt",
        "s1 halt.step: make halted",
        "stage start",
        "s1 start.step: make started",
        " waits: note: went back: everything is as it was before",
    ]
    assert waited == ["s1"]
    assert (world.lock.log, outcome(world)) == (["take", "release"], "failed")


def test_it_is_left_alone_if_nothing_fails(world: World) -> None:
    assert world.perform([stage("migrate", s1=world.scripted("a"))], [stage("halt", s1=world.scripted("halted"))])
    assert not (world.folder / "halted").exists()


def test_ctrl_c_leads_back_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object, host: object, gate: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Gatekeeper, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        world.perform([stage("start", True, s1=world.scripted("a"))], [stage("halt", s1=world.scripted("halted"))])
    assert caught.value.__notes__ == ["went back: everything is as it was before"]
    assert notes(world) == ["interrupted: going back", "went back: everything is as it was before"]
    assert (world.folder / "halted").exists()
    assert (world.lock.log, outcome(world)) == (["take", "release"], "interrupted")


def test_what_is_still_at_work_after_ctrl_c_sends_nothing_more(world: World) -> None:
    run = world.run
    next_one = run.successor()
    made = stage("late", s1=world.scripted("late"))
    plans = run.ask(made.steps)
    (host,) = run.hosts(["s1"])
    steps = made.steps["s1"]
    errors = failed(lambda: run.each([host], lambda host: run.bring_about(host, steps, steps, plans["s1"])))
    assert [error.message for error in errors] == ["interrupted"]
    assert not (world.folder / "late").exists()
    next_one.bring_about(host, steps, steps, plans["s1"])
    assert (world.folder / "late").exists()


def test_a_way_back_that_fails_keeps_the_lock(world: World) -> None:
    back = [stage("halt", s1=world.scripted("halted", "exit 3")), stage("start", s1=world.scripted("started"))]
    with pytest.raises(WayBackFailed) as caught:
        world.perform([stage("migrate", s1=world.scripted("a", "exit 1"))], back)
    assert [error.step for error in caught.value.failures] == ["migrate.step", "halt.step"]
    assert "the fleet's lock is kept" in caught.value.failures[1].hint
    assert not (world.folder / "started").exists()
    assert (world.lock.log, outcome(world)) == (["take", "stuck"], "stuck")


def test_a_host_that_is_down_does_not_keep_the_others_from_going_back(world: World) -> None:
    (world.folder / "w").touch()
    world.local.broken = down("w1")
    back = [stage("start", s1=world.scripted("started"), w1=world.scripted("w", "exit 1"))]
    with pytest.raises(WayBackFailed) as caught:
        world.perform([stage("migrate", s1=world.scripted("a", "exit 1"))], back)
    assert [(error.host, error.message) for error in caught.value.failures[1:]] == [("w1", "is down")]
    assert (world.folder / "started").exists()
