"""What an operator reads: progress and errors on stderr, data on stdout; a line says which host and what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aerodrome.components.command import json_document
from aerodrome.core.plan import HostPlan, PlannedChange, readable_script
from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.report.sink import NoOutput, Paint, data, escape_json, one_line, say
from aerodrome.report.sink import redactor as redactor

if TYPE_CHECKING:
    from aerodrome.components.health import Health

LONGEST_LINE = 1 << 16  # characters of a command's output that are held back for the end of their line
LONGEST_ERROR = 2000  # characters: what a host answered may be part of it
NAMED = 5  # hosts that are waited for and named with what they are at


class Terminal:
    """Tell a run's progress, a line a change; `width` is that of the longest host name."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.width = max((len(name) for name in hosts), default=0)
        self.begun = time.monotonic()

    def stage(self, name: str) -> None:
        say(_bold(name), f"  ({time.monotonic() - self.begun:.0f} s)")

    def change(self, host: str, planned: PlannedChange) -> None:
        say(f"  {host:{self.width}}  {planned.step:20}  {one_line(planned.change.summary)}")

    def waits(self, host: str, why: str) -> None:
        say(f"  {host:{self.width}}  {one_line(why)}")

    def still_waiting(self, doing: Mapping[str, str], seconds: int) -> None:
        still_waiting(doing, seconds)

    def healthy(self, health: Health) -> None:
        say(f"  {health.host:{self.width}}  {'roles.' + health.role:20}  healthy: {one_line(health.detail)}")


def still_waiting(doing: Mapping[str, str], seconds: int) -> None:
    """Say for which hosts a run waits, and what they are at."""
    for host, what in list(doing.items())[:NAMED]:
        say(f"waiting for {host}: {one_line(what)} ({seconds} s)")
    if rest := list(doing)[NAMED:]:
        say(f"waiting for {len(rest)} more hosts: {', '.join(rest[:20])}{' …' if len(rest) > 20 else ''}")


class Through:
    """Hand a command's output on as it comes, whole lines at a time, to stdout or another sink.

    Where nobody reads it any more, the command goes on, as it may be in the middle of a change; `check` then says so.
    One that only `reads` is ended at once (NoOutput).
    """

    def __init__(self, to: Callable[[str], None] = data, reads: bool = False) -> None:
        self._to: Callable[[str], None] | None = to
        self._reads = reads
        self._failed: NoOutput | None = None
        self._rest = ""

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._show(lines)
        if len(self._rest) > LONGEST_LINE:
            self._show_rest()

    def close(self) -> None:
        """Print what is left."""
        self._show_rest()

    def _show_rest(self) -> None:
        rest, self._rest = self._rest, ""
        if rest:
            self._show(rest)

    def check(self) -> None:
        """Raise NoOutput where the command has gone on without its output (a reader that has gone did not want it)."""
        if self._failed and self._failed.why:
            raise self._failed

    def _show(self, lines: str) -> None:
        if self._to:
            try:
                self._to(self._line(lines))
            except NoOutput as error:
                if self._reads:
                    raise
                self._to, self._failed = None, error

    def _line(self, lines: str) -> str:
        return lines


class JsonAlone(Through):
    """Keep a command's output, and in the end print the JSON document on stdout and all else on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[str] = []

    def _show(self, lines: str) -> None:
        self._kept.append(lines)

    def close(self) -> None:
        """Print the document, and before it what else was said."""
        if self._rest:
            self._show(self._rest)
        document, rest = json_document("\n".join(self._kept))
        if rest.rstrip("\n"):
            say(rest.rstrip("\n"))
        if document:
            data(escape_json(document))


class Prefixed(Through):
    """Hand output on with the host's name before each line."""

    def __init__(self, host: str, width: int, to: Callable[[str], None] = data, reads: bool = False) -> None:
        super().__init__(to, reads)
        self._prefix = f"{host:{width}} | "

    def _line(self, lines: str) -> str:
        return "\n".join(self._prefix + line for line in lines.split("\n"))


def waiting_for(what: str | None) -> Callable[[list[str], int], None]:
    """Return what says for which hosts a command waits; None: it is meant to go on until Ctrl-C, so nothing is said."""

    def waiting(names: list[str], seconds: int) -> None:
        if what:
            still_waiting(dict.fromkeys(names, what), seconds)

    return waiting


def show_plans(plans: Sequence[HostPlan], script: bool) -> None:
    """Print what would change, host by host: summaries and diffs, or the very scripts."""
    for plan in plans:
        if plan.changes:
            data(_bold(plan.host))
            data(readable_script(plan) + "\n" if script else _described(plan))


def _described(plan: HostPlan) -> str:
    lines = []
    for planned in plan.changes:
        lines.append(f"  {planned.step}: {planned.change.summary}")
        lines += [f"    {line}" for line in planned.change.diff.splitlines()]
    return "\n".join(lines) + "\n"


def show_error(error: AerodromeError) -> None:
    """Print an error: a line a host, with its evidence, and what to do; evidence that hosts share comes once, last."""
    if isinstance(error, FleetError):
        details = [failure.detail for failure in error.failures]
        shared = [detail for detail in dict.fromkeys(details) if detail and details.count(detail) > 1]
        for failure in error.failures:
            _show_host_error(failure, "" if failure.detail in shared else failure.detail)
        for line in "\n".join(shared).splitlines():
            say(f"  {line}")
    elif isinstance(error, HostError):
        _show_host_error(error, error.detail)
    else:
        say(_red(f"error: {error.message}"))
        if error.hint:
            say(f"  → {error.hint}")


def _show_host_error(error: HostError, detail: str) -> None:
    for line in detail.splitlines():
        say(f"  {error.host} | {line}")
    step = f" {error.step}:" if error.step else ""
    hint = f" → {error.hint}" if error.hint else ""
    say(_red(one_line(f"{error.host}:{step} {error.message}")[:LONGEST_ERROR]), one_line(hint))


def _bold(text: str) -> Paint:
    return Paint(text, "1")


def _red(text: str) -> Paint:
    return Paint(text, "31")
