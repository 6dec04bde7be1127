"""Events of a run: the engine emits these values, and sinks print, record or send them.

Events may come from several threads at once, so a sink has to lock. Stages do not overlap: events between StageBegan
and StageEnded belong to that stage. A text may contain a host's output, which is limited in size but neither escaped
nor free of secrets: that is up to each sink.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Literal

from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError, HostError

Outcome = Literal["changed", "unchanged", "failed", "interrupted", "held", "released"]


@dataclass(frozen=True)
class Event:
    """Something that happened, at a time: seconds since the epoch, by this machine's clock.

    Two events that differ only in their time are equal.
    """

    name = ""  # the name of this kind of event for programs
    time: float = field(default_factory=time.time, kw_only=True, compare=False)


Emit = Callable[[Event], None]


@dataclass(frozen=True)
class RunBegan(Event):
    """A run over these hosts has begun; nothing has been asked or changed yet."""

    name = "begin"
    run: str  # its id: UTC time and four random hexadecimal digits
    performer: str
    command: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class StageBegan(Event):
    """A stage has begun on those of its hosts that have something to do."""

    name = "stage"
    stage: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class StageEnded(Event):
    """All hosts of a stage have finished, and it has failed on `failed`."""

    name = "stage_end"
    stage: str
    seconds: float
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Doing(Event):
    """A host starts doing something: connecting, answering for a step, changing, becoming healthy."""

    name = "doing"
    host: str
    what: str


@dataclass(frozen=True)
class Idle(Event):
    """A host is doing nothing for now."""

    name = "idle"
    host: str


@dataclass(frozen=True)
class ChangeBegan(Event):
    """A host has begun to make a change."""

    name = "change"
    host: str
    step: str
    resource: str
    summary: str


@dataclass(frozen=True)
class ChangeEnded(Event):
    """A host has made a change; one that fails ends in Failed instead."""

    name = "change_end"
    host: str
    step: str
    resource: str
    summary: str
    seconds: float


@dataclass(frozen=True)
class Waiting(Event):
    """A host is waiting for something before it continues: another run, a package manager's lock, running tasks."""

    name = "waiting"
    host: str
    why: str


@dataclass(frozen=True)
class StillWaiting(Event):
    """The run has been waiting for hosts for some time; `doing` says what each of them is doing."""

    name = "still_waiting"
    doing: Mapping[str, str]  # by host name
    seconds: int


@dataclass(frozen=True)
class Note(Event):
    """Something that the operator should know, about a host or about the fleet (no host)."""

    name = "note"
    host: str
    text: str


@dataclass(frozen=True)
class Healthy(Event):
    """Something that a stage has started is healthy."""

    name = "healthy"
    host: str
    step: str
    detail: str
    seconds: float = 0.0  # that the run waited for it


@dataclass(frozen=True)
class Killed(Event):
    """A change has killed running tasks."""

    name = "killed"
    host: str
    step: str
    tasks: str


@dataclass(frozen=True)
class Failed(Event):
    """Something went wrong on a host, or with the run as a whole (no host)."""

    name = "failed"
    host: str
    step: str
    message: str
    hint: str = ""
    detail: str = ""  # several lines of evidence

    @staticmethod
    def by(error: AerodromeError) -> Failed:
        """Return an error as an event."""
        host, step = (error.host, error.step) if isinstance(error, HostError) else ("", "")
        return Failed(host, step, error.message, error.hint, error.detail)


@dataclass(frozen=True)
class RunEnded(Event):
    """A run has ended; `changed` are the hosts on which something was changed, even if it failed later."""

    name = "end"
    outcome: Outcome
    seconds: float
    changed: tuple[str, ...] = ()
    errors: tuple[Failed, ...] = ()


def as_dict(event: Event) -> dict[str, Any]:
    """Return an event as programs read it, ready for JSON: its time in UTC, its name, then its fields.

    Empty values become None; a sequence stays a list.
    """
    seconds, milliseconds = divmod(int(event.time * 1000), 1000)
    when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03}Z"
    return {"time": when, "event": event.name, **_fields(event)}


def _fields(event: Event) -> dict[str, Any]:
    return {name: _plain(value) for name, value in vars(event).items() if name != "time"}


def _plain(value: object) -> object:
    if isinstance(value, Event):
        return _fields(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, float):
        return round(value, 3)
    return None if value == "" else value
