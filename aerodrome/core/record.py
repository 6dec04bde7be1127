"""The record of a run: lines of JSON in the history, and one line in the journal of each host that it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from aerodrome.core.entries import Place, written
from aerodrome.core.lock import Claim
from aerodrome.core.plan import Apply, PlannedChange
from aerodrome.dataclass import dataclass

MOST_RESOURCES, MOST_ERRORS = 200, 20  # of a host, of a run, that are kept
LONGEST_EVENT = 200_000  # characters of an event
LONGEST_LINE = 3500  # characters of a line for a host's journal


@dataclass(frozen=True)
class Caller:
    """Who runs what. `command` has the names of tasks and -H only: arguments may hold secrets."""

    performer: str
    command: str


@dataclass(frozen=True)
class Origin:
    """The origin of a run: its fleet file and Aerodrome's version."""

    hosts_file: str  # digest of its bytes
    version: str  # of Aerodrome


def run_id(now: datetime) -> str:
    """Return the name of a run, from the time when it began in UTC: `20261124T181500Z-1f3a`.

    The last four hexadecimal digits are the fraction of the second, in units of 1/65536 s (15 µs): the names of runs
    sort in the order in which they began, even those of one second.
    """
    return f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond * 65536 // 1_000_000:04x}"


class Recorder:
    """Write the record of one run. Every text goes through `redact`, which hides secrets."""

    def __init__(
        self,
        run: str,
        caller: Caller,
        origin: Callable[[], Origin],
        redact: Callable[[str], str] = lambda text: text,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.run, self.caller = run, caller
        self.stage, self.stages = "", 0  # that the run is at, and how many it has begun
        self._origin, self._redact, self._clock = origin, redact, clock
        self._begun = clock()

    @cached_property
    def origin(self) -> Origin:
        """The origin of the run; worked out only if the run changes something."""
        return self._origin()

    def claim(self, why: str) -> Claim:
        """Return the claim to the fleet's lock."""
        performer, command = self._redact(self.caller.performer), self._redact(self.caller.command)
        return Claim(self.run, performer, command, self._redact(why))

    def start(self, runbook: str, why: str) -> str:
        """Return the event with which a run begins."""
        about = {"run": self.run, "performer": self.caller.performer, "command": self.caller.command, "why": why}
        return self._event(
            "start", **about, runbook=runbook, hosts_file=self.origin.hosts_file, version=self.origin.version
        )

    def at(self, stage: str, hosts: Sequence[str]) -> str:
        """Return the event that a stage begins to change these hosts."""
        self.stage, self.stages = stage, self.stages + 1
        return self._event("stage", stage=stage, hosts=list(hosts))

    def end(self, outcome: str, changed: Mapping[str, Sequence[str]], errors: Sequence[str]) -> str:
        """Return the event with which a run ends; `changed` has the keys of resources by host."""
        seconds = round((self._clock() - self._begun).total_seconds(), 1)
        resources = {host: _first(keys) for host, keys in changed.items()}
        told = [error[:500] for error in errors[:MOST_ERRORS]]
        whole = self._event("end", outcome=outcome, seconds=seconds, changed=resources, errors=told)
        if len(whole) <= LONGEST_EVENT:
            return whole
        counts = {host: [f"{len(keys)} resources"] for host, keys in changed.items()}
        return self._event("end", outcome=outcome, seconds=seconds, changed=counts, errors=told)

    def line(self, changes: Sequence[PlannedChange]) -> str:
        """Return the line for a host's journal about the changes that are about to be made there."""
        caller = self.caller
        made = ", ".join(f"{planned.step}: {planned.resource}" for planned in changes if planned.change.script)
        text = (
            f"run {self.run} of {caller.performer}: {caller.command}; stage {self.stage}; changes {made};"
            f" aerodrome {self.origin.version}, hosts file {self.origin.hosts_file}"
        )
        text = " ".join(self._redact(text).split())
        return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]} …"

    def ways_back(self, changes: Sequence[PlannedChange]) -> Apply:
        """Return the script that records on a host the ways back of the changes that are about to be made there."""
        return written(changes, Place(self.run, self.stages, self.stage), self._redact)

    def _event(self, kind: str, **given: Any) -> str:
        return json.dumps({"event": kind, "at": f"{self._clock():%Y-%m-%dT%H:%M:%SZ}", **self._hidden(given)})

    def _hidden(self, value: Any) -> Any:
        """Return a value with the secrets in its texts hidden, before JSON writes them in another form."""
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        if isinstance(value, dict):
            return {key: self._hidden(each) for key, each in value.items()}
        return value


def _first(keys: Sequence[str]) -> list[str]:
    """Return the first of many keys, and how many more there are."""
    more = len(keys) - MOST_RESOURCES
    return [*keys[:MOST_RESOURCES], *([f"and {more} more"] if more > 0 else [])]
