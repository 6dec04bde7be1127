"""A run over hosts that are all this machine, with real shells and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from aerodrome.components.hints import HINTS
from aerodrome.core.check import Gate
from aerodrome.core.event import (
    ChangeBegan,
    Event,
    Killed,
    Note,
    StageBegan,
    StillWaiting,
    Waiting,
)
from aerodrome.core.lock import Claim
from aerodrome.core.record import Caller, Origin, Recorder
from aerodrome.core.resource import Change, Seen
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine import perform
from aerodrome.engine.converge import Run
from aerodrome.errors import FleetError, HostError
from aerodrome.fleet.model import Deploy, Host
from aerodrome.resources.files import File
from tests.unit.make import ME, MY_GROUP, fleet
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

    def perform(self, stages: Sequence[Stage], back: Sequence[Stage] = ()) -> bool:
        return perform.perform(self.run, Runbook("test", tuple(stages), back=tuple(back)))

    def perform_again(self, stages: Sequence[Stage]) -> bool:
        self.run = self.new_run()
        return self.perform(stages)

    def file(self, name: str, content: str = "x\n") -> File:
        return File(str(self.folder / name), content, ME, MY_GROUP)

    def scripted(self, name: str, script: str | None = None, restarts: str = "") -> Scripted:
        path = self.folder / name
        return Scripted(path, f"touch '{path}'" if script is None else script, restarts)


def stage(name: str, gated: bool = False, **hosts: Any) -> Stage:
    gates = {host: cast(Gate, None) for host in hosts if gated}
    return Stage(name, {host: [Step(f"{name}.step", (resource,))] for host, resource in hosts.items()}, gates)


def failed(call: Callable[[], object]) -> list[HostError]:
    with pytest.raises(FleetError) as caught:
        call()
    return caught.value.failures


def down(*names: str) -> Callable[[Host], HostError | None]:
    return lambda host: HostError(host.name, "connect", "is down") if host.name in names else None
