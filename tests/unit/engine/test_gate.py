"""Waiting until started units are healthy: with this machine in place of the host, and real shells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from aerodrome.components.hints import HINTS
from aerodrome.core.check import Finding, Verdict
from aerodrome.core.event import Event, Healthy
from aerodrome.engine import gate as module
from aerodrome.engine.gate import Gatekeeper
from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy
from aerodrome.remote.shell import execs
from tests.unit.make import HOSTS
from tests.unit.remote.local import Local

W1 = HOSTS["w1"]
Read = Callable[[tuple[str, ...], str], list[Finding]]


@dataclass(frozen=True)
class Looks:
    """A gate whose watch is `script`; `read` returns the findings about subjects from an answer."""

    script: str
    read: Read
    subjects: tuple[str, ...] = ("worker",)
    key = "looks"

    def only(self, subjects: Sequence[str]) -> Looks:
        return replace(self, subjects=tuple(subjects))

    def probe(self) -> str:
        return "echo a look by hand"

    def watch(self) -> str:
        return self.script

    def looks(self, text: str) -> tuple[list[str], str]:
        *looks, rest = text.split("\n@looked\n")
        return looks, rest

    def judge(self, answer: str) -> list[Finding]:
        return self.read(self.subjects, answer)

    def unknown(self, why: str) -> list[Finding]:
        raise NotImplementedError


class World:
    """A gatekeeper over hosts that are all this machine."""

    def __init__(self, folder: Path, deploy: Deploy) -> None:
        self.events, self.at = list[Event](), dict[str, str]()
        self.local = Local(folder, deploy=deploy)
        keeper = Gatekeeper(self.local, self.events.append, HINTS, self.at.__setitem__)  # type: ignore[arg-type]
        self.wait = keeper.wait


@pytest.fixture
def world(tmp_path: Path) -> World:
    execs.clear()
    return World(tmp_path, Deploy())


def finding(verdict: Verdict, subject: str = "worker", restarts: int = 0, detail: str = "seen") -> Finding:
    return Finding(subject, verdict, detail, unit=f"airflow@{subject}.service", restarts=restarts)


def never(subjects: tuple[str, ...], text: str) -> list[Finding]:
    raise AssertionError(text)


@pytest.mark.parametrize("script", ["sleep 64", "while :; do echo; sleep 0.1; done", "yes"])
def test_a_look_that_never_comes_is_not_waited_for(tmp_path: Path, script: str) -> None:
    world = World(tmp_path, Deploy(health_timeout=1, output_limit=1))
    with pytest.raises(HostError) as caught:
        world.wait(W1, Looks(script, never))
    assert (caught.value.host, caught.value.step) == ("w1", "roles.worker")
    assert caught.value.message.startswith("its health is unknown: the probe ")


def test_a_look_that_takes_longer_than_the_rest_of_the_time_leaves_what_was_seen_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A web server that accepts connections but never answers: each look takes as long as its time limit.
    world = World(tmp_path, Deploy(health_timeout=1))
    monkeypatch.setattr(module, "journal", lambda connections, host, unit: "Control server error")
    seen = finding("waiting", detail="timed out")
    with pytest.raises(HostError) as caught:
        world.wait(W1, Looks("printf 'a look\n@looked\n'; sleep 64", lambda *_: [seen]))
    assert caught.value.message == "airflow@worker.service is not healthy 1 s after its start: timed out"
    assert caught.value.detail == "Control server error"


def test_a_host_looks_by_itself_until_all_is_ok(world: World, tmp_path: Path) -> None:
    # The host continues to look until nobody reads its output: three looks, one exec.
    log = tmp_path / "looks"
    script = f"while :; do echo look >>'{log}'; printf 'number %s\\n@looked\\n' $(grep -c . '{log}'); sleep 0.05; done"
    scheduler, triggerer = finding("ok", "scheduler"), finding("ok", "triggerer")
    answers = {
        "number 1": [scheduler, replace(triggerer, verdict="waiting")],
        "number 2": [scheduler, replace(triggerer, verdict="waiting")],
        "number 3": [scheduler, triggerer],
    }
    asked: list[tuple[str, ...]] = []

    def read(subjects: tuple[str, ...], text: str) -> list[Finding]:
        asked.append(subjects)
        return answers[text]

    world.wait(W1, Looks(script, read, ("scheduler", "triggerer")))
    assert asked == [("scheduler", "triggerer")] * 3
    assert [replace(event, seconds=0) for event in world.events if isinstance(event, Healthy)] == [
        Healthy("w1", "roles.scheduler", "seen"),
        Healthy("w1", "roles.triggerer", "seen"),
    ]
    assert len(world.events) == 2
    assert world.at == {"w1": "airflow@triggerer.service: seen"}
    assert execs == {"w1": 1}


def test_a_unit_that_dies_while_its_host_looks_is_a_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "while :; do printf 'a look\\n@looked\\n'; sleep 0.05; done"
    monkeypatch.setattr(module, "journal", lambda connections, host, unit: "Address already in use")
    with pytest.raises(HostError, match="died after its start: the unit is failed") as caught:
        world.wait(W1, Looks(script, lambda *_: [finding("failed", detail="the unit is failed")]))
    assert caught.value.detail == "Address already in use"


# A host that cannot look by itself

Waits = Callable[..., list[tuple[str, ...]]]


@pytest.fixture
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Run looks by hand with these results, the last one repeated; return the subjects of each look."""
    clock = [0.0]
    world = World(tmp_path, Deploy(health_timeout=10))
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(module.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    monkeypatch.setattr(module, "journal", lambda connections, host, unit: "last lines: no pg_hba.conf entry")
    monkeypatch.setattr(module, "run", lambda *_, **__: SimpleNamespace(text=""))

    def wait(*seen: list[Finding], subjects: tuple[str, ...] = ("worker",)) -> list[tuple[str, ...]]:
        asked: list[tuple[str, ...]] = []

        def read(subjects: tuple[str, ...], text: str) -> list[Finding]:
            asked.append(subjects)
            return seen[min(len(asked), len(seen)) - 1]

        world.wait(W1, Looks("true", read, subjects))
        return asked

    return wait


def test_it_is_waited_for_until_all_is_ok(waits: Waits) -> None:
    assert waits([finding("waiting")], [finding("waiting")], [finding("ok")]) == [("worker",)] * 3


def test_what_is_ok_is_not_asked_again(waits: Waits) -> None:
    first = [finding("ok", "scheduler"), finding("waiting", "triggerer")]
    assert waits(first, [finding("ok", "triggerer")], subjects=("scheduler", "triggerer")) == [
        ("scheduler", "triggerer"),
        ("triggerer",),
    ]


def test_without_subjects_nothing_is_waited_for(waits: Waits) -> None:
    assert waits(subjects=()) == []


@pytest.mark.parametrize(
    "seen",
    [
        [[finding("failed", detail="the unit is failed")]],
        # It started, died and was started again: `active` at each look.
        [[finding("waiting")], [finding("waiting", restarts=1, detail="the unit is failed")]],
    ],
)
def test_a_unit_that_dies_after_its_start_is_a_failure(waits: Waits, seen: list[list[Finding]]) -> None:
    with pytest.raises(HostError) as caught:
        waits(*seen)
    error = caught.value
    assert (error.host, error.step) == ("w1", "roles.worker")
    assert error.message == "airflow@worker.service died after its start: the unit is failed"
    assert error.detail == "last lines: no pg_hba.conf entry"
    assert error.hint == "the database does not allow this host: run fab setup-db"


def test_what_is_not_ok_in_time_is_a_failure(waits: Waits) -> None:
    with pytest.raises(HostError) as caught:
        waits([finding("waiting", detail="no heartbeat yet")])
    assert caught.value.message == "airflow@worker.service is not healthy 10 s after its start: no heartbeat yet"
