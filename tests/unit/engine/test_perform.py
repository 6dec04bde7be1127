"""The order in which a runbook is performed: what a stage requires, actions, and the ways back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aerodrome.core.check import Finding, Verdict
from aerodrome.core.resource import Change, Seen
from aerodrome.core.runbook import Action
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.errors import AerodromeError, FleetError
from aerodrome.remote.run import execs
from tests.unit.engine.test_converge import World, failed, stage, world

__all__ = ["world"]


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
    """Return a way back that writes its own line into a log, once."""
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
    assert not world.perform_again(stages[1:])  # what a stage that is done requires is not asked
    assert execs == {"w1": 1}


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
