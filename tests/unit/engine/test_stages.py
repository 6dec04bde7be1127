"""Stages in their order: hosts that fail or are down, ways back, and what is asked again."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from aerodrome.core import plan
from aerodrome.core.event import (
    Event,
    Failed,
    StageBegan,
    Waiting,
)
from aerodrome.core.resource import Change, Seen
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine.gate import Gatekeeper
from aerodrome.errors import AerodromeError, FleetError, InvalidInput
from aerodrome.remote.shell import execs
from aerodrome.resources.systemd import Service
from tests.unit.engine.world import Scripted, World, down, failed, stage
from tests.unit.make import HOSTS, fleet


def test_the_other_hosts_of_a_stage_finish_and_the_next_stage_is_not_begun(world: World) -> None:
    stages = [
        stage("nodes", s1=world.scripted("a", "exit 1"), web1=world.scripted("b"), w1=world.scripted("c", "exit 2")),
        stage("late", w2=world.scripted("d")),
    ]
    errors = failed(lambda: world.perform(stages))
    assert [error.host for error in errors] == ["s1", "w1"]
    assert (world.folder / "b").exists()
    assert not (world.folder / "d").exists()


def test_a_stage_that_fails_is_undone_where_that_is_possible(world: World) -> None:
    undo = {
        name: [Step("undo.step", (world.scripted(f"undone {name}", script),))]
        for name, script in (
            ("s1", None),
            ("w1", "exit 3"),
            ("w2", None),
        )
    }
    (world.folder / "undone w2").touch()
    stages = [
        replace(stage("stops", s1=world.scripted("a")), way_back=undo),
        replace(stage("waits", s1=world.scripted("b", "exit 1"), web1=world.scripted("c")), way_back=undo),
        stage("late", w2=world.scripted("d")),
    ]
    errors = failed(lambda: world.perform(stages))
    assert [(error.host, error.step, error.message) for error in errors] == [
        ("s1", "waits.step", "could not make b (exit 1)"),
        ("w1", "undo.step", "could not make undone w1 (exit 3)"),
    ]
    assert world.heard.lines[-3:-2] == ["stage waits: undo"]
    assert sorted(world.heard.lines[-2:]) == [f"{name} undo.step: make undone {name}" for name in ("s1", "w1")]
    assert (world.folder / "undone s1").exists()
    assert not (world.folder / "d").exists()


def between(world: World, *made: str) -> list[Stage]:
    for name in made:
        (world.folder / name).touch()
    return [
        stage("machines", w1=world.scripted("m")),
        stage("stop", w1=world.scripted("s"), w2=world.scripted("t")),
        stage("settings", w1=world.scripted("n")),
    ]


def test_settings_come_with_the_machines_where_nothing_is_to_do_between(world: World) -> None:
    assert world.perform(between(world, "s", "t"))
    assert [line for line in world.heard.lines if line.startswith("stage")] == ["stage machines"]
    assert execs["w1"] == 2
    assert all((world.folder / name).exists() for name in "mn")


def test_settings_come_after_what_is_to_do_between(world: World) -> None:
    assert world.perform(between(world, "s"))
    assert [line for line in world.heard.lines if line.startswith("stage")] == [
        "stage machines",
        "stage stop",
        "stage settings",
    ]


def test_a_host_between_that_is_down_is_told_where_it_stands(world: World) -> None:
    world.local.broken = down("w2")
    (error,) = failed(lambda: world.perform(between(world, "s", "t")))
    assert (error.host, error.message) == ("w2", "is down")
    assert (world.folder / "m").exists() and not (world.folder / "n").exists()


def test_a_worker_that_fails_does_not_keep_the_other_from_starting(world: World) -> None:
    # Both take from one queue, so they start one after the other.
    alike = {name: replace(HOSTS[name], of_role={"worker": {"queues": ("default",)}}) for name in ("w1", "w2")}
    world.run.fleet = fleet(hosts={**HOSTS, **alike})
    stages = [stage("workers", w1=world.scripted("a", "exit 1"), w2=world.scripted("b"))]
    errors = failed(lambda: world.perform(stages))
    assert [error.host for error in errors] == ["w1"]
    assert (world.folder / "b").exists()


def test_hosts_that_are_down_are_named_and_the_others_of_the_stage_finish(world: World) -> None:
    world.local.broken = down("web1", "w2")
    stages = [
        stage("first", s1=world.file("a")),
        stage("second", w1=world.file("b"), w2=world.file("c"), web1=world.file("d")),
        stage("third", s1=world.file("e")),
    ]
    errors = failed(lambda: world.perform(stages))
    assert {(error.host, error.message) for error in errors} == {("web1", "is down"), ("w2", "is down")}
    assert [name for name in "abcde" if (world.folder / name).exists()] == ["a", "b"]


def test_a_host_that_is_down_and_one_that_fails_are_told_together(world: World) -> None:
    world.local.broken = down("web1")
    stages = [stage("nodes", s1=world.scripted("a", "exit 1"), web1=world.file("b"), w1=world.file("c"))]
    errors = failed(lambda: world.perform(stages))
    assert {(error.host, error.message) for error in errors} == {
        ("web1", "is down"),
        ("s1", "could not make a (exit 1)"),
    }
    assert (world.folder / "c").exists()


def test_where_a_host_s_state_is_refused_nothing_is_touched_anywhere(world: World) -> None:
    world.run.before_change = lambda: pytest.fail("called")
    world.local.broken = down("web1")
    (world.folder / "b").mkdir()
    stages = [
        stage("first", s1=world.file("a")),
        stage("second", w1=world.file("b"), w2=world.file("c")),
        stage("third", s1=world.file("d"), web1=world.file("e")),
    ]
    errors = failed(lambda: world.perform(stages))
    told = {(error.host, error.step, error.message) for error in errors}
    refused = f"{world.folder}/b is a directory, but should be a file"
    assert told == {("w1", "second.step", refused), ("web1", "connect", "is down")}
    assert [name for name in "acde" if (world.folder / name).exists()] == []
    assert world.heard.lines == []
    assert {error.host: error.refusal and error.refusal.verdict for error in errors} == {"w1": "refused", "web1": None}
    # A refusal is no failure yet: a session may take in what it has found, and begin again.
    assert [event.host for event in world.heard.events if isinstance(event, Failed)] == ["web1"]


def test_a_refusal_brings_its_evidence(world: World) -> None:
    @dataclass(frozen=True)
    class Refusing(Scripted):
        def changes(self, seen: Seen) -> list[Change]:
            raise AerodromeError("no", "do this", "line one\nline two")

    (error,) = failed(lambda: world.perform([stage("one", w1=Refusing(world.folder / "a", ""))]))
    assert (error.message, error.hint, error.detail) == ("no", "do this", "line one\nline two")


def test_a_state_that_is_refused_only_later_ends_the_stage_that_made_it(world: World) -> None:
    # What the first stage makes is what the second one does not want: the other hosts of the first one finish.
    stages = [
        stage(
            "first", w1=world.scripted("a", f"touch '{world.folder}/a'; mkdir '{world.folder}/b'"), w2=world.file("c")
        ),
        stage("second", w1=world.file("b"), s1=world.file("d")),
    ]
    (error,) = failed(lambda: world.perform(stages))
    assert (error.host, error.step) == ("w1", "second.step")
    assert [name for name in "acd" if (world.folder / name).exists()] == ["a", "c"]


def test_a_host_that_goes_down_between_two_stages_fails_in_the_second(world: World) -> None:
    stages = [
        stage("first", w1=world.scripted("a")),
        stage("second", w1=world.scripted("b"), w2=world.scripted("c")),
        stage("third", s1=world.scripted("d")),
    ]

    def emit(event: Event) -> None:
        if isinstance(event, StageBegan) and event.stage == "second":
            world.local.broken = down("w1")

    world.run.emit = emit
    (error,) = failed(lambda: world.perform(stages))
    assert (error.host, error.message) == ("w1", "is down")
    assert [name for name in "abcd" if (world.folder / name).exists()] == ["a", "c"]


def test_a_host_that_is_down_and_takes_no_part_in_a_stage_does_not_end_it(world: World) -> None:
    world.local.broken = down("web1")
    stages = [
        stage("first", s1=world.file("a")),
        stage("second", w1=world.file("b")),
        stage("third", web1=world.file("c")),
    ]
    (error,) = failed(lambda: world.perform(stages))
    assert (error.host, sorted(world.run.changed)) == ("web1", ["s1", "w1"])


# Before the first change


def test_something_is_done_before_the_first_change(world: World) -> None:
    world.run.before_change = lambda: world.heard.lines.append("before")
    world.perform([stage("one", w1=world.file("a"), w2=world.file("b")), stage("two", w1=world.file("c"))])
    assert world.heard.lines[0] == "before"
    assert (world.folder / "c").exists()


def test_what_fails_before_the_first_change_lets_nothing_be_changed(world: World) -> None:
    def conflict() -> None:
        raise InvalidInput("another run has made fernet_key meanwhile", "run the same command again")

    world.run.before_change = conflict
    with pytest.raises(InvalidInput, match="^another run has made fernet_key meanwhile$"):
        world.perform([stage("one", w1=world.file("a"))])
    assert not (world.folder / "a").exists()
    assert world.heard.lines == []


def test_where_nothing_changes_or_no_host_answers_nothing_is_done_before_it(world: World) -> None:
    world.run.before_change = lambda: pytest.fail("called")
    (world.folder / "a").write_text("x\n")
    assert not world.perform([stage("one", w1=world.file("a"))])
    world.run.ask({"w1": [Step("s", (world.file("b"),))]})
    world.local.broken = down("w1")
    failed(lambda: world.perform([stage("one", w1=world.file("b"))]))


def test_what_the_hosts_that_answer_need_is_in_the_failure(world: World) -> None:
    world.local.broken = down("w2")
    with pytest.raises(FleetError) as caught:
        world.run.ask({"w1": [Step("s", (world.file("b"),))], "w2": []})
    assert list(caught.value.results) == ["w1"]
    assert [planned.step for planned in caught.value.results["w1"].changes] == ["s"]


def test_units_that_run_are_restarted_one_host_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Restart(Scripted):
        def changes(self, seen: Seen) -> list[Change]:
            return [Change(change.summary, change.script, interrupts=True) for change in super().changes(seen)]

    monkeypatch.setattr(Gatekeeper, "wait", lambda self, host, gate: world.heard.emit(Waiting(host.name, "health")))
    hosts = {name: Restart(world.folder / name, f"touch '{world.folder / name}'") for name in ("s1", "web1")}
    world.perform([stage("any", gated=True, **hosts)])
    assert world.heard.lines == [
        "stage any",
        "s1 any.step: make s1",
        "s1 waits: health",
        "web1 any.step: make web1",
        "web1 waits: health",
    ]


def test_after_a_change_the_next_stage_is_asked_for_too(world: World) -> None:
    # The first stage makes what the second one wants: nothing is left for it.
    first = world.scripted("a", f"touch '{world.folder}/a' '{world.folder}/b'")
    world.perform([stage("one", w1=first), stage("two", w1=world.scripted("b"))])
    assert world.heard.lines == ["stage one", "w1 one.step: make a"]


def test_a_host_costs_an_exec_to_ask_and_one_for_each_stage_that_changes_it(world: World) -> None:
    stages = [
        stage("one", w1=world.file("a"), w2=world.file("b")),
        stage("two", w1=world.file("c")),
        stage("three", w1=world.file("d")),
    ]
    world.perform(stages)
    assert execs == {"w1": 4, "w2": 2}


def test_what_an_earlier_stage_brought_about_is_not_asked_again(world: World) -> None:
    log = world.folder / "log"

    @dataclass(frozen=True)
    class Logged(Scripted):
        def probe(self) -> str:
            return f"echo {self.path.name} >>'{log}'; {super().probe()}"

    def logged(name: str) -> Logged:
        return Logged(world.folder / name, f"touch '{world.folder / name}'")

    world.perform([stage("one", w1=logged("a")), stage("two", w1=logged("b")), stage("three", w1=logged("c"))])
    assert log.read_text().split() == [*"abc", *"abc", *"bc", "c"]


def test_a_restart_that_was_asked_for_is_made_once_in_each_stage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two units of one host, in two stages: the restart of the first must not count for the second.
    log = world.folder / "log"
    programs = world.folder / "sudo-programs"
    show = "echo UnitFileState=enabled; echo ActiveState=active"
    (programs / "systemctl").write_text(f"#!/bin/sh\ncase $1 in show) {show};; restart) echo $2 >>'{log}';; esac\n")
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setattr(plan, "PRELUDE", "")  # its PATH
    monkeypatch.setattr(Gatekeeper, "wait", lambda *_: None)
    units = {name: Service(f"{name}.service", again=True) for name in "ab"}
    world.perform([stage("one", gated=True, w1=units["a"]), stage("two", gated=True, w1=units["b"])])
    assert log.read_text().split() == ["a.service", "b.service"]
