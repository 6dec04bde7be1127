"""What a host prints while it works, read as it comes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from aerodrome.blueprint.health import Health
from aerodrome.plan import HostPlan, PlannedChange
from aerodrome.resources.base import KILLED, NOTE, WAITING

LONGEST = 2000  # characters of a line that a host prints while it works; what is longer is not read to its end


class Reporter(Protocol):
    """What a run tells while it goes."""

    def stage(self, name: str) -> None: ...
    def change(self, host: str, planned: PlannedChange) -> None: ...
    def healthy(self, health: Health) -> None: ...
    def waits(self, host: str, why: str) -> None: ...


class Waits:
    """Read a probe's output as it comes, up to its first answer, and report what the host waits for before it."""

    def __init__(self, report: Reporter, host: str, nonce: str) -> None:
        self._report, self._host = report, host
        self._end = f"@{nonce} "
        self._pending, self._over = "", False

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        if self._over:
            return  # answers are anybody's text
        lines, _, pending = (self._pending + text).rpartition("\n")
        self._pending = pending[:LONGEST]
        for line in lines.split("\n"):
            if line.startswith(self._end):
                self._over = True
                return
            tell_wait(self._report, self._host, line)


def tell_wait(report: Reporter, host: str, line: str) -> None:
    """Report a line of a script's output if it says what the host waits for, or what else there is to know."""
    if line.startswith((WAITING, NOTE)):
        report.waits(host, line[1:LONGEST])


class Progress:
    """Read an apply's output as it comes, and tell each change when its turn has come."""

    def __init__(
        self, report: Reporter, plan: HostPlan, nonce: str, killed: Callable[[str, PlannedChange, str], None]
    ) -> None:
        """Take who is told of changes and waits, and of running tasks that a change has killed."""
        self.current: PlannedChange | None = None
        self._report, self._plan, self._killed = report, plan, killed
        self._marker = re.compile(rf"@{nonce} (\d+)")
        self._done = f"@{nonce} done"
        self._pending = ""
        self._probe: Waits | None = None  # reads what follows the changes, whose marks look alike
        self._nonce = nonce

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        if self._probe:
            self._probe.read(text)
            return
        *lines, pending = (self._pending + text).split("\n")
        self._pending = pending[:LONGEST]
        for number, line in enumerate(lines):
            if line == self._done:
                self._probe = Waits(self._report, self._plan.host, self._nonce)
                self._probe.read("\n".join([*lines[number + 1 :], pending]))
                return
            self._read_line(line)

    def _read_line(self, line: str) -> None:
        if mark := self._marker.fullmatch(line):
            self.current = self._plan.changes[int(mark[1])]
            self._report.change(self._plan.host, self.current)
        elif self.current and line.startswith(KILLED):
            self._killed(self._plan.host, self.current, line[len(KILLED) : LONGEST])
        else:
            tell_wait(self._report, self._plan.host, line)
