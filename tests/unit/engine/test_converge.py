"""Ask, plan, apply, ask again: on this machine in place of the hosts, with real shells and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from aerodrome.core import plan
from aerodrome.core.check import Finding
from aerodrome.core.resource import Change, Seen
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine import converge
from aerodrome.engine.converge import settled
from aerodrome.engine.gate import journal
from aerodrome.engine.progress import Progress
from aerodrome.errors import FleetError, HostError
from aerodrome.fleet.model import Deploy
from aerodrome.remote import parallel
from aerodrome.remote.limits import ConnectionBroke, Limit
from aerodrome.remote.shell import execs
from aerodrome.resources.systemd import Service, Stopped
from tests.unit.engine.world import Scripted, World, down, failed, stage
from tests.unit.make import HOSTS, fleet


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
        "#!/bin/dash\nread -r size; case \"$(cat)\" in 'set -eu'*) echo 'No space left on device' >&2; exit 2;; esac\n"
        "printf '\\n@%s 0\\n\\n@%s end\\n' NONCE NONCE\n".replace("NONCE", world.run._nonce)
    )
    shell.chmod(0o755)
    world.local._shell = str(shell)
    (error,) = failed(lambda: world.perform([stage("nodes", w1=world.file("a"))]))
    assert (error.step, error.message) == ("apply", "the script did not start (exit 2)")
    assert error.hint == "the disk is full: free some space, and run the same command again"


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


# Small things


def test_a_restart_that_was_asked_for_is_wanted_once() -> None:
    other = Stopped("b.service")
    assert settled([Step("s", (Service("a.service", ("/x",), again=True), other))]) == [
        Step("s", (Service("a.service", ("/x",)), other))
    ]
