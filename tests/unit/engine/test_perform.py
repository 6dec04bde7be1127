"""The order in which a runbook is performed: requirements, actions, and ways back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aerodrome.core.check import Finding, Verdict
from aerodrome.core.event import Note
from aerodrome.core.lock import Claim, LockState
from aerodrome.core.resource import Change, Seen
from aerodrome.core.runbook import Action, Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.engine.perform import WayBackFailed, perform
from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.remote.shell import execs
from tests.unit.engine.world import World, failed, stage


@dataclass(frozen=True)
class There:
    """A check that is ok once a file is there; until then it says `verdict`."""

    path: Path
    verdict: Verdict = "failed"

    @property
    def key(self) -> str:
        return f"there {self.path}"

    def probe(self) -> str:
        return f"[ ! -e '{self.path}' ] || echo yes"

    def judge(self, answer: str) -> list[Finding]:
        there = bool(answer.strip())
        return [Finding(self.key, "ok" if there else self.verdict, f"{self.path.name} is not there", "make it")]


# Ways back


def back(world: World, host: str, script: str) -> dict[str, list[Step]]:
    """Return a way back that writes a line into a log, once."""
    name = script.replace(" ", "-")
    log = f"echo '{script}' >>'{world.folder}/log'; touch '{world.folder}/{name}'"
    return {host: [Step(f"back.{name}", (world.scripted(name, log),))]}


def log(world: World) -> list[str]:
    path = world.folder / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_the_ways_back_are_taken_in_reverse_from_the_stage_that_failed(world: World) -> None:
    (world.folder / "done").touch()
    stages = [
        replace(stage("one", s1=world.scripted("done")), way_back=back(world, "s1", "back from one")),  # nothing to do
        replace(stage("two", w1=world.scripted("b")), way_back=back(world, "w1", "back from two")),
        replace(stage("three", w2=world.scripted("c", "exit 1")), way_back=back(world, "w2", "back from three")),
        replace(stage("four", w2=world.scripted("d")), way_back=back(world, "w2", "back from four")),
    ]
    (error,) = failed(lambda: world.perform(stages))
    assert error.message == "could not make c (exit 1)"
    assert log(world) == ["back from three", "back from two", "back from one"]
    assert [line for line in world.heard.lines if line.endswith("undo")] == [
        "stage three: undo",
        "stage two: undo",
        "stage one: undo",
    ]


def test_what_was_done_before_a_stage_that_commits_stays(world: World) -> None:
    stages = [
        replace(stage("one", s1=world.scripted("a")), way_back=back(world, "s1", "back from one")),
        replace(stage("two", w1=world.scripted("b")), commits=True, way_back=back(world, "w1", "back from two")),
        stage("three", w2=world.scripted("c", "exit 1")),
    ]
    failed(lambda: world.perform(stages))
    assert log(world) == ["back from two"]


def test_after_a_way_back_that_fails_no_other_is_taken(world: World) -> None:
    way = {"w1": [Step("back.step", (world.scripted("back", "exit 3"),))]}
    stages = [
        replace(stage("one", s1=world.scripted("a")), way_back=back(world, "s1", "back from one")),
        replace(stage("two", w1=world.scripted("b", "exit 1")), way_back=way),
    ]
    errors = failed(lambda: world.perform(stages))
    assert [(error.step, error.message) for error in errors] == [
        ("two.step", "could not make b (exit 1)"),
        ("back.step", "could not make back (exit 3)"),
    ]
    assert log(world) == []


# What a stage requires


@pytest.mark.parametrize("verdict", ["waiting", "failed", "refused"])
def test_a_stage_changes_nothing_before_what_it_requires_is_ok(world: World, verdict: Verdict) -> None:
    needs = {"w1": [There(world.folder / "needed", verdict)]}
    stages = [
        replace(stage("one", s1=world.scripted("a")), way_back=back(world, "s1", "back from one")),
        replace(stage("two", w1=world.scripted("b"), w2=world.scripted("c")), requires=needs),
    ]
    (error,) = failed(lambda: world.perform(stages))
    assert (error.host, error.step, error.message, error.hint) == ("w1", "two", "needed is not there", "make it")
    assert [name for name in "abc" if (world.folder / name).exists()] == ["a"]
    assert log(world) == ["back from one"]


def test_what_the_stage_before_has_made_is_there_when_it_is_required(world: World) -> None:
    stages = [
        stage("one", s1=world.scripted("needed")),
        replace(stage("two", w1=world.scripted("b")), requires={"w1": [There(world.folder / "needed")]}),
    ]
    assert world.perform(stages)
    (world.folder / "needed").unlink()
    execs.clear()
    assert not world.perform_again(stages[1:])  # the requirements of a stage that is done are not checked
    assert execs == {"w1": 1, "db1": 1}  # db1 keeps the lock


def test_a_warning_keeps_no_stage_from_beginning(world: World) -> None:
    needs = {"w1": [There(world.folder / "needed", "warning")]}
    assert world.perform([replace(stage("one", w1=world.scripted("b")), requires=needs)])


# Actions


def test_an_action_is_done_once_and_is_proven_to_be_done(world: World) -> None:
    done = world.folder / "migrated"
    action = Action(There(done), Change("migrate", f"echo x >>'{world.folder}/times'; touch '{done}'"))
    book = [Stage("migrate", {"db1": [Step("migrate", (action,))]}, {})]
    assert world.perform(book)
    assert not world.perform_again(book)
    assert (world.folder / "times").read_text() == "x\n"


def test_an_action_that_does_not_do_what_it_should_fails(world: World) -> None:
    action = Action(There(world.folder / "migrated"), Change("migrate", "true"))
    (error,) = failed(lambda: world.perform([Stage("migrate", {"db1": [Step("migrate", (action,))]}, {})]))
    assert error.message == "does not converge: after 3 rounds, it still needs: migrate"


def test_an_action_may_be_refused() -> None:
    with pytest.raises(AerodromeError, match="^x is not there$") as caught:
        Action(There(Path("/x"), "refused"), Change("do", "true")).changes(Seen(""))
    assert caught.value.hint == "make it"
    assert not isinstance(caught.value, FleetError)


def test_a_stage_for_some_hosts_only_keeps_all_that_it_is(world: World) -> None:
    whole = replace(
        stage("one", s1=world.scripted("a"), w1=world.scripted("b")),
        requires={"s1": [There(world.folder / "x")], "w1": [There(world.folder / "x")]},
        way_back={**back(world, "s1", "s"), **back(world, "w1", "w")},
        commits=True,
    )
    (part,) = only([whole], ["w1"])
    assert (list(part.steps), list(part.requires), list(part.way_back), part.commits) == (["w1"], ["w1"], ["w1"], True)


# The record


def written(world: World) -> list[tuple[object, ...]]:
    """Return the history of a run in short form."""
    shown = {"start": ("runbook", "why"), "stage": ("stage", "hosts"), "end": ("outcome", "changed", "errors")}
    return [(each["event"], *(each[name] for name in shown[each["event"]])) for each in world.lock.history]


def test_a_run_that_changes_something_is_written_down(world: World) -> None:
    (world.folder / "done").touch()
    stages = [
        stage("one", s1=world.scripted("done"), w1=world.scripted("a"), w2=world.scripted("done")),
        stage("two", s1=world.scripted("done")),
        stage("three", w1=world.scripted("b")),
    ]
    world.perform(stages)
    folder = world.folder
    assert written(world) == [
        ("start", "test", "2 changes on 1 of 3 hosts"),
        ("stage", "one", ["w1"]),
        ("stage", "three", ["w1"]),
        ("end", "changed", {"w1": [f"file {folder}/a", f"file {folder}/b"]}, []),
    ]
    world.lock.history.clear()
    world.perform_again(stages)
    assert written(world) == []


def test_a_run_that_fails_is_written_down_without_what_a_program_printed(world: World) -> None:
    thing = world.scripted("a", "echo secret; false")
    failed(lambda: world.perform([stage("one", w1=thing, w2=world.scripted("b"))]))
    *_, (_, outcome, changed, errors) = written(world)
    assert (outcome, sorted(changed)) == ("failed", ["w1", "w2"])  # type: ignore[call-overload]
    assert errors == ["w1: one.step: could not make a (exit 1)"]


def test_a_run_that_has_killed_tasks_has_failed_unless_that_was_allowed(world: World) -> None:
    for force, outcome in ((False, "failed"), (True, "changed")):
        world.run = world.new_run()
        world.run.killed = [HostError("w1", "stop", "running tasks were killed: x")]
        thing = world.scripted(f"killed {force}")
        perform(world.run, Runbook("stop", (stage("one", w1=thing),), force))
        assert written(world)[-1][1] == outcome


def test_a_run_that_is_interrupted_gives_the_lock_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    world.run.before_change = interrupt
    with pytest.raises(KeyboardInterrupt):
        world.perform([stage("one", w1=world.scripted("a"))])
    assert world.lock.log == ["take", "release"]
    assert written(world)[-1] == ("end", "interrupted", {}, [])


def test_where_a_way_back_fails_the_lock_is_kept_and_it_is_said_how_to_go_on(world: World) -> None:
    way = {"w1": [Step("back.step", (world.scripted("back", "exit 3"),))]}
    with pytest.raises(WayBackFailed) as caught:
        world.perform([replace(stage("two", w1=world.scripted("b", "exit 1")), way_back=way)])
    assert caught.value.failures[1].hint == (
        "the fleet's lock is kept: to go on, run the same command again (fab test); "
        "to give up: fab lock.release --reason=…"
    )
    assert world.lock.log == ["take", "stuck"]
    assert written(world)[-3:] == [
        ("stage", "two", ["w1"]),
        ("stage", "two: undo", ["w1"]),
        (
            "end",
            "stuck",
            {"w1": [f"file {world.folder}/b", f"file {world.folder}/back"]},
            ["w1: two.step: could not make b (exit 1)", "w1: back.step: could not make back (exit 3)"],
        ),
    ]


def test_whose_the_lock_is_is_a_note_of_a_run_that_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Claim("20261124T181500Z-aaaa", "bob@desk", "fab deploy", "x").record()
    monkeypatch.setattr(LockState, "probe", lambda self: f"printf '%s\\n' left '70 {record}'")
    thing = world.scripted("a")
    note = "the fleet's lock: a run of bob@desk that began 70 s ago did not end: fab deploy (20261124T181500Z-aaaa)"
    notes = lambda: [each.text for each in world.heard.events if isinstance(each, Note)]  # noqa: E731
    world.perform([stage("one", w1=thing, db1=world.scripted("c"))])
    assert notes() == []  # the wait for the lock reports it
    world.perform_again([stage("one", w1=thing, db1=world.scripted("c"))])
    assert notes() == [note]


def test_a_lock_that_the_performer_has_left_is_released_even_if_nothing_is_left_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [stage("one", w1=world.scripted("a"), db1=world.scripted("b"))]
    for name in "ab":
        (world.folder / name).touch()
    for performer, hold, log in (
        ("ann@laptop", False, ["take", "release"]),
        ("ann@laptop", True, []),
        ("bob@desk", False, []),
    ):
        record = Claim("20261124T181500Z-aaaa", performer, "fab deploy", "x", hold=hold).record()
        answer = f"printf '%s\\n' left '70 {record}'"
        monkeypatch.setattr(LockState, "probe", lambda self, answer=answer: answer)
        world.lock.log.clear()
        assert not world.perform_again(stages)
        assert world.lock.log == log
    alive = f"printf '%s\\n' alive '70 {Claim('x', 'ann@laptop', 'y', 'z').record()}'"
    monkeypatch.setattr(LockState, "probe", lambda self: alive)
    assert not world.perform_again(stages)
    assert world.lock.log == []


def test_a_lock_that_was_left_is_released_by_a_run_over_other_hosts_than_the_one_that_keeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [stage("one", w1=world.scripted("a"))]
    (world.folder / "a").touch()
    record = Claim("20261124T181500Z-aaaa", "ann@laptop", "fab -H w1 deploy", "x").record()
    monkeypatch.setattr(LockState, "probe", lambda self: f"printf '%s\\n' left '70 {record}'")
    assert not world.perform_again(stages)
    assert world.lock.log == ["take", "release"]


def test_a_run_that_changes_nothing_does_not_mind_that_the_lock_cannot_be_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (world.folder / "a").touch()
    monkeypatch.setattr(LockState, "probe", lambda self: "exit 1")
    assert not world.perform_again([stage("one", w1=world.scripted("a"))])
    assert world.heard.lines == []
