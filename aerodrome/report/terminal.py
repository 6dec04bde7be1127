"""Plain output for an operator: events and errors on stderr, data on stdout. Each line names its host and step."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence

from aerodrome.core.event import ChangeBegan, Event, Healthy, Killed, Note, StageBegan, StillWaiting, Waiting
from aerodrome.core.plan import HostPlan, readable_script
from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.report.sink import Paint, data, one_line, say
from aerodrome.report.sink import redactor as redactor

LONGEST_ERROR = 2000  # characters: it may include a host's answer
NAMED = 5  # hosts to list with what they are doing


class Terminal:
    """Print a run's events, one line each. `width` is the length of the longest host name."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.width = max((len(name) for name in hosts), default=0)
        self.begun = time.monotonic()

    def emit(self, event: Event) -> None:
        """Print an event, except those that only programs and displays need."""
        match event:
            case StageBegan(stage=stage):
                say(_bold(stage), f"  ({time.monotonic() - self.begun:.0f} s)")
            case ChangeBegan(host=host, step=step, summary=summary):
                self._line(host, step, one_line(summary))
            case Healthy(host=host, step=step, detail=detail):
                self._line(host, step, f"healthy: {one_line(detail)}")
            case Waiting(host=host, why=why):
                say(f"  {host:{self.width}}  {one_line(why)}")
            case Note(host="", text=text):
                say(f"note: {one_line(text)}")
            case Note(host=host, text=text):
                say(f"  {host:{self.width}}  note: {one_line(text)}")
            case Killed(host=host, tasks=tasks):
                say(f"  {host:{self.width}}  killed {one_line(tasks)}")
            case StillWaiting(doing=doing, seconds=seconds):
                still_waiting(doing, seconds)

    def _line(self, host: str, step: str, text: str) -> None:
        say(f"  {host:{self.width}}  {step:20}  {text}")

    def close(self) -> None:
        """Do nothing: there is no terminal state to restore."""


def still_waiting(doing: Mapping[str, str], seconds: int) -> None:
    """Report which hosts a run is waiting for, and what they are doing."""
    for host, what in list(doing.items())[:NAMED]:
        say(f"waiting for {host}: {one_line(what)} ({seconds} s)")
    if rest := list(doing)[NAMED:]:
        say(f"waiting for {len(rest)} more hosts: {', '.join(rest[:20])}{' …' if len(rest) > 20 else ''}")


def show_plans(plans: Sequence[HostPlan], script: bool) -> None:
    """Print what would change, host by host: summaries and diffs, or the exact scripts."""
    for plan in plans:
        if plan.changes:
            data(_bold(plan.host))
            data(readable_script(plan) + "\n" if script else _described(plan))


def _described(plan: HostPlan) -> str:
    lines = []
    for planned in plan.changes:
        change = planned.change
        final = " (no way back)" if change.script and change.undo is None else ""
        lines.append(f"  {planned.step}: {change.summary}{final}")
        lines += [f"    {line}" for line in planned.change.diff.splitlines()]
    return "\n".join(lines) + "\n"


def show_error(error: AerodromeError) -> None:
    """Print an error: one line per host, its evidence, and what to do. Evidence that hosts share comes once, last."""
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
