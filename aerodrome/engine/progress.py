"""Follow a script's output as it comes: what the host is at, how long that may take, and what is said about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from aerodrome.core.check import Finding
from aerodrome.core.plan import PlannedChange
from aerodrome.core.resource import KILLED, NOTE, WAITING
from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy
from aerodrome.remote.limits import ConnectionBroke, Limit, LimitExceeded

LOCK_WAIT = 900  # seconds that a script waits for the lock of its host (plan.LOCK)
LONGEST = 2000  # characters of a line that a host prints while it works; what is longer is not read to its end


class Reporter(Protocol):
    """What a run tells while it goes."""

    def stage(self, name: str) -> None: ...
    def change(self, host: str, planned: PlannedChange) -> None: ...
    def healthy(self, host: str, finding: Finding) -> None: ...
    def waits(self, host: str, why: str) -> None: ...
    def still_waiting(self, doing: Mapping[str, str], seconds: int) -> None: ...


def nobody(host: str, planned: PlannedChange, tasks: str) -> None:
    """Take no note of tasks that were killed: a probe kills none."""


class Progress:
    """Read the marks of an apply and of the probe after it, or of a probe alone (`probes`)."""

    def __init__(
        self,
        report: Reporter,
        host: str,
        changes: Sequence[PlannedChange],
        asked: Sequence[str],
        nonce: str,
        limit: Limit,
        deploy: Deploy,
        at: Callable[[str], None] = lambda what: None,
        killed: Callable[[str, PlannedChange, str], None] = nobody,
    ) -> None:
        """Take who is told of changes and waits, what the host is `at`, and of tasks that a change has `killed`."""
        self.host = host
        self.current: PlannedChange | None = None
        self.step = ""  # that a mark has named last
        self.probes = False  # the marks are those of a probe
        self._report, self._changes, self._asked = report, changes, asked
        self._limit, self._deploy, self._at, self._killed = limit, deploy, at, killed
        self._mark = re.compile(rf"@{nonce} (\d{{1,6}}|done)")
        self._pending = ""
        self._waited = ""  # what the current change waits for

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        *lines, pending = (self._pending + text).split("\n")
        self._pending = pending[:LONGEST]
        for line in lines:
            if line.startswith("@"):
                self._read_line(line)

    def _read_line(self, line: str) -> None:
        if mark := self._mark.fullmatch(line):
            self._marked(mark[1])
        elif self.probes and self.step:
            pass  # answers are anybody's text
        elif line.startswith(WAITING):
            self._waits(line[1:LONGEST])
        elif line.startswith(NOTE):
            self._report.waits(self.host, line[1:LONGEST])
        elif self.current and not self.probes and line.startswith(KILLED):
            self._killed(self.host, self.current, line[len(KILLED) : LONGEST])

    def _waits(self, why: str) -> None:
        if not self.step:
            self._limit.allow(LOCK_WAIT + self._deploy.probe_timeout)
        self._waited = why if self.current else ""
        self._at(why)
        self._report.waits(self.host, why)

    def _marked(self, label: str) -> None:
        if label == "done":
            self.probes, self.step = True, ""
            self._limit.allow(self._deploy.probe_timeout)
            self._at("asking again")
        elif not self.probes and int(label) < len(self._changes):
            self._begins(self._changes[int(label)])
        elif self.probes and int(label) < len(self._asked):
            if not self.step:
                self._limit.allow(self._deploy.probe_timeout)  # the lock is ours
            self.step = self._asked[int(label)]
            self._at(f"{self.step} (asked)")

    def _begins(self, planned: PlannedChange) -> None:
        self.current, self.step, self._waited = planned, planned.step, ""
        units = self._deploy.drain_timeout + self._deploy.migration_timeout
        interrupts = planned.change.restarts or planned.change.interrupts
        self._limit.allow(self._deploy.change_timeout + (units if interrupts else 0), "change_timeout")
        self._at(f"{planned.step}: {planned.change.summary}")
        self._report.change(self.host, planned)

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Let an error say at which step it happened."""
        try:
            yield
        except LimitExceeded as error:
            raise HostError(self.host, self.step, f"{self._what()}{error.message}", error.hint) from error
        except ConnectionBroke as error:
            if not self.current or self.probes:
                raise HostError(self.host, self.step or error.step, error.message, error.hint) from error
            hint = "the host may still be finishing it; run the same command again, which waits for that"
            meanwhile = f", while it was {self._waited}" if self._waited else ""
            raise HostError(self.host, self.step, f"{self._what()}{error.message}{meanwhile}", hint) from error

    def _what(self) -> str:
        return f"{self.current.change.summary}: " if self.current and not self.probes else ""
