"""Follow a script's output as it arrives: what the host is doing, how long that may take, and what to report."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aerodrome.core.event import ChangeBegan, ChangeEnded, Emit, Note, Waiting
from aerodrome.core.plan import PlannedChange
from aerodrome.core.resource import KILLED, NOTE, WAITING
from aerodrome.errors import HostError
from aerodrome.fleet.model import Deploy
from aerodrome.remote.limits import ConnectionBroke, Limit, LimitExceeded

LOCK_WAIT = 900  # seconds that a script waits for its host's lock (plan.LOCK)
LONGEST = 2000  # characters per line of a working host; the rest of a longer line is dropped


def nobody(host: str, planned: PlannedChange, tasks: str) -> None:
    """Ignore tasks that were killed: a probe kills none."""


class Progress:
    """Read the marks of an apply and of the probe after it, or of a probe alone (`probes`)."""

    def __init__(
        self,
        emit: Emit,
        host: str,
        changes: Sequence[PlannedChange],
        asked: Sequence[str],
        nonce: str,
        limit: Limit,
        deploy: Deploy,
        at: Callable[[str], None] = lambda what: None,
        killed: Callable[[str, PlannedChange, str], None] = nobody,
    ) -> None:
        """Take the functions for events, for what the host is doing (`at`), and for tasks that a change `killed`."""
        self.host = host
        self.current: PlannedChange | None = None
        self.step = ""  # named by the last mark
        self.probes = False  # the marks belong to a probe
        self._emit, self._changes, self._asked = emit, changes, asked
        self._limit, self._deploy, self._at, self._killed = limit, deploy, at, killed
        self._mark = re.compile(rf"@{nonce} (\d{{1,6}}|done)")
        self._pending = ""
        self._waited = ""  # what the current change is waiting for
        self._began = 0.0  # when the current change began

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
            pass  # answers may be any text
        elif line.startswith(WAITING):
            self._waits(line[1:LONGEST])
        elif line.startswith(NOTE):
            self._emit(Note(self.host, line[len(NOTE) : LONGEST]))
        elif self.current and not self.probes and line.startswith(KILLED):
            self._killed(self.host, self.current, line[len(KILLED) : LONGEST])

    def _waits(self, why: str) -> None:
        if not self.step:
            self._limit.allow(LOCK_WAIT + self._deploy.probe_timeout)
        self._waited = why if self.current else ""
        self._at(why)
        self._emit(Waiting(self.host, why))

    def _marked(self, label: str) -> None:
        if label == "done":
            self._ends()
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
        self._ends()
        self._began = time.monotonic()
        self.current, self.step, self._waited = planned, planned.step, ""
        units = self._deploy.drain_timeout + self._deploy.migration_timeout
        interrupts = planned.change.restarts or planned.change.interrupts
        self._limit.allow(self._deploy.change_timeout + (units if interrupts else 0), "change_timeout")
        self._at(f"{planned.step}: {planned.change.summary}")
        self._emit(ChangeBegan(self.host, planned.step, planned.resource, planned.change.summary))

    def _ends(self) -> None:
        """Emit the end of the current change, because the next mark has arrived."""
        if self.current and not self.probes:
            planned, seconds = self.current, time.monotonic() - self._began
            self._emit(ChangeEnded(self.host, planned.step, planned.resource, planned.change.summary, seconds))

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Make an error name the step in which it happened."""
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
