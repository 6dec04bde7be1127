"""Ask, plan, apply, ask again: on this machine in place of the hosts, with real shells and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from aerodrome.components.hints import HINTS
from aerodrome.core import entries, plan
from aerodrome.core.check import Finding, Gate
from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Event,
    Failed,
    Idle,
    Killed,
    Note,
    StageBegan,
    StageEnded,
    StillWaiting,
    Waiting,
)
from aerodrome.core.lock import Claim
from aerodrome.core.plan import PlannedChange
from aerodrome.core.record import Caller, Origin, Recorder
from aerodrome.core.resource import Change, Seen
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine import converge, perform
from aerodrome.engine.converge import Run, settled
from aerodrome.engine.gate import Gatekeeper, journal
from aerodrome.engine.progress import Progress
from aerodrome.engine.words import hint, last_words
from aerodrome.errors import AerodromeError, FleetError, HostError, InvalidInput
from aerodrome.fleet.model import Deploy, Host
from aerodrome.remote import parallel
from aerodrome.remote.limits import ConnectionBroke, Limit
from aerodrome.remote.run import execs
from aerodrome.resources.files import File
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.make import HOSTS, ME, MY_GROUP, fleet
from tests.unit.remote.local import Local

RECORDER = Recorder("20261124T181500Z-1f3a", Caller("ann@laptop", "fab test"), lambda: Origin("sha256:0", "1.0"))


@dataclass
class Heard:
    """What a run has emitted, and lines of what people read of it."""

    events: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)
        match event:
            case StageBegan(stage=stage):
                self.lines.append(f"stage {stage}")
            case ChangeBegan(host=host, step=step, summary=summary):
                self.lines.append(f"{host} {step}: {summary}")
            case Waiting(host=host, why=text):
                self.lines.append(f"{host} waits: {text}")
            case Note(host=host, text=text):
                self.lines.append(f"{host} waits: note: {text}")
            case Killed(host=host, tasks=tasks):
                self.lines.append(f"{host} waits: killed {tasks}")
            case StillWaiting(doing=doing, seconds=seconds):
                self.lines += [f"{seconds} s: {host}: {what}" for host, what in doing.items()]


@dataclass
class Held:
    """A lock over the fleet that is free, unless a test says otherwise; `age` is what taking it returns."""

    age: float = 1e9
    log: list[str] = field(default_factory=list)
    lost: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)

    def take(self, claim: Claim, start: str) -> float:
        self.log.append("take")
        self.history.append(json.loads(start))
        return self.age

    def check(self) -> None:
        if self.lost:
            raise HostError("db1", "lock", "the lock is lost")

    def tell(self, event: str) -> None:
        self.history.append(json.loads(event))

    def release(self, end: str, stuck: bool = False) -> None:
        self.log.append("stuck" if stuck else "release")
        self.history.append(json.loads(end))


@dataclass(frozen=True)
class Scripted:
    """A resource that is there when `path` is, and is made by `script`."""

    path: Path
    script: str
    restarts: str = ""

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return f"[ ! -e '{self.path}' ] || echo there"

    def changes(self, seen: Seen) -> list[Change]:
        return [] if seen.text.strip() else [Change(f"make {self.path.name}", self.script, restarts=self.restarts)]


class World:
    """A run over hosts that are all this machine."""

    def __init__(self, folder: Path, deploy: Deploy | None = None) -> None:
        self.folder, self.heard = folder, Heard()
        self.local = Local(folder)
        self.deploy = deploy or Deploy()
        self.lock = Held()
        self.run = self.new_run()

    def new_run(self) -> Run:
        self.local.fleet = fleet(deploy=self.deploy)
        return Run(self.local, self.heard.emit, self.lock, RECORDER, HINTS)  # type: ignore[arg-type]

    def perform(self, stages: Sequence[Stage]) -> bool:
        return perform.perform(self.run, Runbook("test", tuple(stages)))

    def perform_again(self, stages: Sequence[Stage]) -> bool:
        self.run = self.new_run()
        return self.perform(stages)

    def file(self, name: str, content: str = "x\n") -> File:
        return File(str(self.folder / name), content, ME, MY_GROUP)

    def scripted(self, name: str, script: str | None = None, restarts: str = "") -> Scripted:
        path = self.folder / name
        return Scripted(path, f"touch '{path}'" if script is None else script, restarts)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(plan, "LOCK", "")  # all hosts are this machine: they would wait for each other
    monkeypatch.setattr(entries, "ROOT", f"{tmp_path}/undo-$$")
    execs.clear()
    return World(tmp_path)


def stage(name: str, gated: bool = False, **hosts: Any) -> Stage:
    gates = {host: cast(Gate, None) for host in hosts if gated}
    return Stage(name, {host: [Step(f"{name}.step", (resource,))] for host, resource in hosts.items()}, gates)


def failed(call: Callable[[], object]) -> list[HostError]:
    with pytest.raises(FleetError) as caught:
        call()
    return caught.value.failures


# Converging


def test_what_is_missing_is_made_and_told_then_nothing_is_left(world: World) -> None:
    stages = [stage("nodes", w1=world.file("a"), w2=world.file("b")), stage("late", w1=world.file("c"))]
    assert world.perform(stages)
    assert sorted(world.heard.lines[1:3]) == [
        f"w1 nodes.step: write {world.folder}/a",
        f"w2 nodes.step: write {world.folder}/b",
    ]
    assert (world.heard.lines[0], world.heard.lines[3:]) == (
        "stage nodes",
        ["stage late", f"w1 late.step: write {world.folder}/c"],
    )
    assert sorted(world.run.changed) == ["w1", "w2"]
    assert (world.folder / "c").read_text() == "x\n"

    execs.clear()
    world.heard.lines.clear()
    assert not world.perform_again(stages)
    assert world.heard.lines == []
    assert execs == {"w1": 1, "w2": 1, "db1": 1}  # db1 keeps the lock


def test_what_depends_on_an_earlier_change_is_asked_again(world: World) -> None:
    second = world.scripted("second", f"[ -e '{world.folder}/first' ] && touch '{world.folder}/second'")

    class Later(Scripted):
        def changes(self, seen: Seen) -> list[Change]:
            return [] if seen.text.strip() else [Change("later", second.script if first.exists() else "")]

    first = world.folder / "first"
    steps = [Step("one", (world.scripted("first"),)), Step("two", (Later(second.path, ""),))]
    assert world.perform([Stage("database", {"db1": steps}, {})])
    assert second.path.exists()


def test_what_does_not_converge_is_said_after_three_rounds(world: World) -> None:
    log = world.folder / "log"
    thing = world.scripted("never", f"echo round >>'{log}'")
    (error,) = failed(lambda: world.perform([stage("nodes", w1=thing)]))
    assert (error.host, error.step) == ("w1", "nodes.step")
    assert error.message == "does not converge: after 3 rounds, it still needs: make never"
    assert log.read_text().count("round") == 3


def test_a_change_that_fails_is_told_with_its_last_words(world: World) -> None:
    script = "echo one; echo 'cp: error writing: No space left on device' >&2; exit 9"
    (error,) = failed(lambda: world.perform([stage("nodes", w1=world.scripted("a", script))]))
    assert (error.host, error.step, error.message) == ("w1", "nodes.step", "could not make a (exit 9)")
    assert error.hint == "the disk is full: free some space, and run the same command again"
    assert error.detail == "one\ncp: error writing: No space left on device"


def test_a_unit_that_does_not_start_is_told_with_its_journal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converge, "journal", lambda _, host, unit: f"{host.name} {unit}: Address already in use")
    thing = world.scripted("a", "echo 'Job failed.' >&2; false", restarts="airflow@worker.service")
    (error,) = failed(lambda: world.perform([stage("workers", w1=thing)]))
    assert error.detail == "w1 airflow@worker.service: Address already in use"
    assert error.hint == "something else is using the port: ss -ltnp"


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


def down(*names: str) -> Callable[[Host], HostError | None]:
    return lambda host: HostError(host.name, "connect", "is down") if host.name in names else None


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


# Checks


@dataclass(frozen=True)
class Asks:
    """A check whose probe is `script`; what it prints is the detail."""

    script: str
    key = "x"

    def probe(self) -> str:
        return self.script

    def judge(self, answer: str) -> list[Finding]:
        if answer == "KeyError":
            raise KeyError("x")
        assert answer != "AssertionError"
        return [Finding("x", "ok", answer)]

    def unknown(self, why: str) -> list[Finding]:
        return [Finding("x", "failed", why)]


def test_every_check_of_a_host_that_is_down_says_so_beside_the_others(world: World) -> None:
    world.local.broken = down("w2")
    checks = {name: [Asks("printf one"), Asks("printf two")] for name in ("w2", "w1")}
    assert world.run.look(checks) == {
        "w2": [Finding("x", "failed", "is down")] * 2,
        "w1": [Finding("x", "ok", "one"), Finding("x", "ok", "two")],
    }


def test_one_host_s_trouble_never_hides_what_the_others_answer(world: World) -> None:
    answers = {"s1": "fine", "w1": "KeyError", "w2": "AssertionError"}
    found = world.run.look({name: [Asks(f"printf {answer}")] for name, answer in answers.items()})
    assert [(name, each.verdict) for name, rows in found.items() for each in rows] == [
        ("s1", "ok"),
        ("w1", "failed"),
        ("w2", "failed"),
    ]
    assert "cannot parse the host's answer (KeyError" in found["w1"][0].detail
    assert "unexpected AssertionError in test_converge.py" in found["w2"][0].detail


def test_a_connection_that_breaks_in_the_middle_is_no_success(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = converge.run

    def breaks(connections: Any, host: Any, script: str, *rest: Any, **options: Any) -> Any:
        output = real(connections, host, script, *rest, **options)
        if script.startswith("set -eu"):
            raise ConnectionBroke("w1", "no sign of life for 45 s")
        return output

    monkeypatch.setattr(converge, "run", breaks)
    for script, meanwhile in (
        ("echo; exit 1", ""),
        ("echo '@waiting for 1 running task: a.b'; exit 1", ", while it was waiting for 1 running task: a.b"),
    ):
        (error,) = failed(lambda: world.perform([stage("nodes", w1=world.scripted("a", script))]))  # noqa: B023
        assert (error.step, error.message, error.hint) == (
            "nodes.step",
            f"make a: the connection broke: no sign of life for 45 s{meanwhile}",
            "the host may still be finishing it; run the same command again, which waits for that",
        )


def test_a_script_that_never_began_says_why(world: World) -> None:
    world.local.environment["ENV"] = ""
    shell = world.folder / "sh"
    shell.write_text(
        "#!/bin/dash\ncase \"$(cat)\" in 'set -eu'*) echo 'No space left on device' >&2; exit 2;; esac\n"
        "printf '\\n@%s 0\\n\\n@%s end\\n' NONCE NONCE\n".replace("NONCE", world.run._nonce)
    )
    shell.chmod(0o755)
    world.local._shell = str(shell)
    (error,) = failed(lambda: world.perform([stage("nodes", w1=world.file("a"))]))
    assert (error.step, error.message) == ("apply", "the script did not start (exit 2)")
    assert error.hint == "the disk is full: free some space, and run the same command again"


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


def test_another_run_that_is_at_work_is_told_of(world: World) -> None:
    waits = Progress(world.heard.emit, "w1", (), ["node.x"], "n0nce", Limit(None, None), Deploy())
    waits.probes = True
    for part in ("@waiting ", "for another run", " that is at work\nword", "s\n\n@n0nce 0\n@waiting for nothing\n"):
        waits.read(part)
    waits.read("@waiting for nothing\n")
    assert world.heard.lines == ["w1 waits: waiting for another run that is at work"]


def test_another_run_that_never_ends_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "LOCK", "echo 'another run has been at work'; exit 75")
    (error,) = failed(lambda: world.run.ask({"w1": []}))
    assert (error.host, error.step, error.message) == ("w1", "lock", "another run has been at work")


# Tasks that outlast their time


def test_tasks_that_a_change_has_killed_are_told_and_kept(world: World) -> None:
    script = (
        "echo '@waiting for 1 running task: a.b (r, 5 s); at most 600 s'; echo '@killed 1 running task: a.b (r, 605 s)'"
    )
    made = world.scripted("a", f"{script}; echo '@note: and this'; touch '{world.folder}/a'")
    assert world.perform([stage("workers", w1=made)])
    assert world.heard.lines[2:] == [
        "w1 waits: waiting for 1 running task: a.b (r, 5 s); at most 600 s",
        "w1 waits: killed 1 running task: a.b (r, 605 s)",
        "w1 waits: note: and this",
    ]
    (error,) = world.run.killed
    assert (error.host, error.step) == ("w1", "workers.step")
    assert error.message == "running tasks were killed: 1 running task: a.b (r, 605 s)"
    assert error.hint == "they had 600 s (deploy.drain_timeout: 600); --force makes this no error"


def test_what_is_said_until_it_has_been_heard_counts_once(world: World) -> None:
    say = "echo '@killed 1 running task: a.b (r, 605 s)'"
    made = [world.scripted(name, f"{say}; touch '{world.folder}/{name}'") for name in "ab"]
    assert world.perform([stage("one", w1=made[0]), stage("two", w1=made[1])])
    assert len(world.run.killed) == 1
    assert [line for line in world.heard.lines if "waits" in line] == [
        "w1 waits: killed 1 running task: a.b (r, 605 s)"
    ]


def test_what_a_probe_answers_kills_nothing(world: World) -> None:
    (world.folder / "a").write_text("@killed x\n@waiting for y\n")
    assert world.perform([stage("workers", w1=world.file("a", "@killed x\n"))])
    assert world.run.killed == []
    assert [line for line in world.heard.lines if "waits" in line] == []


# One run at a time over the whole fleet


def test_the_lock_is_held_while_the_fleet_is_changed_and_not_taken_for_nothing(world: World) -> None:
    stages = [stage("nodes", w1=world.file("a"), w2=world.file("b"))]
    world.perform(stages)
    assert world.lock.log == ["take", "release"]
    assert execs == {"w1": 2, "w2": 2}  # asked once, changed and asked again in one

    world.lock.log.clear()
    assert not world.perform_again(stages)
    assert world.lock.log == []


def test_the_lock_is_given_back_after_a_failure(world: World) -> None:
    failed(lambda: world.perform([stage("nodes", w1=world.scripted("a", "false"))]))
    assert world.lock.log == ["take", "release"]


def test_what_was_asked_before_another_run_ended_is_asked_again(world: World) -> None:
    wanted = world.file("a")

    class Other(Held):
        def take(self, claim: Claim, start: str) -> float:
            (world.folder / "a").write_text("of the other run\n")
            return super().take(claim, start)

    world.lock = Other(age=0)
    (world.folder / "b").touch()
    # By the first answer there is nothing to do for the file that the other run has written since.
    (world.folder / "a").write_text("x\n")
    assert world.perform_again([stage("nodes", w1=wanted, w2=world.scripted("c"))])
    assert (world.folder / "a").read_text() == "x\n"
    assert execs == {"w1": 3, "w2": 3}


def test_where_the_other_run_has_done_it_all_nothing_is_left(world: World) -> None:
    class Other(Held):
        def take(self, claim: Claim, start: str) -> float:
            (world.folder / "a").touch()
            return super().take(claim, start)

    world.lock = Other(age=0)
    assert not world.perform_again([stage("nodes", w1=world.scripted("a"))])
    assert world.lock.log == ["take", "release"]


def test_a_run_that_has_lost_the_lock_changes_nothing_more(world: World) -> None:
    class Lost(Held):
        def check(self) -> None:
            self.lost = (world.folder / "a").exists()
            super().check()

    world.lock = Lost()
    stages = [stage("nodes", w1=world.scripted("a")), stage("late", w2=world.scripted("b"))]
    (error,) = failed(lambda: world.perform_again(stages))
    assert (error.host, error.step) == ("db1", "lock")
    assert not (world.folder / "b").exists()
    assert world.lock.log == ["take", "release"]


def test_a_journal_that_cannot_be_read_hides_no_failure(world: World) -> None:
    world.local.broken = lambda host: HostError("w1", "connect", "gone")
    assert journal(world.local, HOSTS["w1"], "airflow@worker") == ""  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "what, seconds, says",
    [
        ("sleep 65", 1, "did not finish within 1 s (deploy.probe_timeout)"),
        ("yes", 60, "printed more than 1 MB (deploy.output_limit)"),
    ],
)
def test_a_probe_that_exceeds_its_limit_names_the_step(world: World, what: str, seconds: int, says: str) -> None:
    world.local.fleet = world.run.fleet = fleet(deploy=Deploy(probe_timeout=seconds, output_limit=1))

    @dataclass(frozen=True)
    class Asks:
        key = "x"
        asks: str

        def probe(self) -> str:
            return self.asks

        def changes(self, seen: Seen) -> list[Change]:
            return []

    blueprint = {
        "w1": [Step("node.a", (Asks("echo a"),)), Step("node.b", (Asks(what),)), Step("node.c", (Asks("echo c"),))],
        "w2": [Step("node.a", (Asks("echo a"),))],
    }
    with pytest.raises(FleetError) as caught:
        world.run.ask(blueprint)
    (error,) = caught.value.failures
    assert (error.host, error.step, error.message) == ("w1", "node.b", says)
    assert list(caught.value.results) == ["w2"]


def test_a_change_that_exceeds_its_limit_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run.fleet = fleet(deploy=Deploy(change_timeout=1))
    (error,) = failed(lambda: world.perform([stage("nodes", w1=world.scripted("a", "sleep 66"))]))
    assert (error.step, error.message) == (
        "nodes.step",
        "make a: did not finish within 1 s (deploy.change_timeout)",
    )


def test_while_a_host_is_at_work_it_is_said_at_what(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "FIRST", 0.5)
    world.perform([stage("nodes", w1=world.scripted("a", f"sleep 2; touch '{world.folder}/a'"))])
    assert "0 s: w1: nodes.step: make a" in world.heard.lines or "1 s: w1: nodes.step: make a" in world.heard.lines


# Progress


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


# Small things


def test_a_restart_that_was_asked_for_is_wanted_once() -> None:
    other = Stopped("b.service")
    assert settled([Step("s", (Service("a.service", ("/x",), again=True), other))]) == [
        Step("s", (Service("a.service", ("/x",)), other))
    ]


def test_last_words_are_the_last_lines_that_say_something() -> None:
    assert last_words("1\n\n2\n  \n3\n", 2) == "2\n3"
    assert last_words("\n\n") == ""
    assert last_words("\n".join(str(number) for number in range(99))).splitlines() == [
        str(number) for number in range(87, 99)
    ]


@pytest.mark.parametrize(
    "words, what",
    [
        ('FATAL:  password authentication failed for user "airflow"', "the database rejects the password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.4"', "the database does not allow this host"),
        ("tar: x: Cannot write: No space left on device", "the disk is full"),
        ("curl: (6) Could not resolve host: index.example.com", "the host cannot resolve names"),
        ("curl error: Couldn't resolve host name for https://mirrors.example.com", "the host cannot resolve names"),
        ("E: Unable to locate package postgresql", "its package sources do not have it: check /etc/apt/sources.list.d"),
        ("E: Package 'python3.7' has no installation candidate", "its package sources do not have it: check /etc/apt/"),
        ("No match for argument: python3.12", "its package sources do not have it: check dnf repolist"),
        (
            "  - nothing provides libpq needed by postgresql-server",
            "its package sources do not have it: check dnf repolist",
        ),
        ("OSError: [Errno 98] Address already in use", "something else is using the port"),
        ("mkdir: cannot create directory: Read-only file system", "a file system is mounted read-only"),
        ("Failed to set up mount namespacing: /data: No such file", "a path in read_write_paths is missing"),
    ],
)
def test_failures_that_are_known_by_what_they_print(words: str, what: str) -> None:
    assert hint(f"before\n{words}\nafter", HINTS).startswith(what)


def test_a_failure_that_nobody_knows_has_no_hint() -> None:
    assert hint("Segmentation fault", HINTS) == ""
