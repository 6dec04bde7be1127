"""What an operator reads: progress and errors on stderr, data on stdout; a line says which host and what."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import TextIO

from aerodrome.blueprint.airflow import json_document
from aerodrome.blueprint.health import Health
from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.plan import HostPlan, PlannedChange, readable_script
from aerodrome.secrets import Redactor

# Hides every known secret in whatever is printed, should one get there.
redactor = Redactor()
_lock = threading.Lock()


def _print(text: str, file: TextIO) -> None:
    # Whole lines under a lock: hosts that work at once would interleave within a line.
    with _lock:
        # What a host prints may hold bytes that are no text, and a terminal may not have every letter.
        encoding = file.encoding or "utf-8"
        safe = redactor.hide(text).encode(encoding, "backslashreplace").decode(encoding)
        print(safe, file=file, flush=True)


def say(text: str) -> None:
    """Tell how it goes."""
    _print(text, sys.stderr)


def data(text: str) -> None:
    """Print what was asked for, on stdout."""
    _print(text, sys.stdout)


class Terminal:
    """Tell a run's progress, a line a change; `width` is that of the longest host name."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.width = max((len(name) for name in hosts), default=0)
        self.begun = time.monotonic()

    def stage(self, name: str) -> None:
        say(f"{_bold(name)}  ({time.monotonic() - self.begun:.0f} s)")

    def change(self, host: str, planned: PlannedChange) -> None:
        say(f"  {host:{self.width}}  {planned.step:20}  {planned.change.summary}")

    def waits(self, host: str, why: str) -> None:
        say(f"  {host:{self.width}}  {why}")

    def healthy(self, health: Health) -> None:
        say(f"  {health.host:{self.width}}  {'roles.' + health.role:20}  healthy: {health.detail}")


class Through:
    """Hand a command's output on as it comes, whole lines at a time."""

    def __init__(self) -> None:
        self._rest = ""

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._show(lines)

    def close(self, errors: str = "") -> None:
        """Print what is left, and the command's stderr on ours."""
        if self._rest:
            self._show(self._rest)
        if errors:
            say(errors.rstrip("\n"))

    def _show(self, lines: str) -> None:
        data(lines)


class JsonAlone(Through):
    """Keep a command's output, and in the end print the JSON document on stdout and all else on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[str] = []

    def _show(self, lines: str) -> None:
        self._kept.append(lines)

    def close(self, errors: str = "") -> None:
        """Print the document, and before it what else was said."""
        if self._rest:
            self._show(self._rest)
        document, rest = json_document("\n".join(self._kept))
        for text in filter(None, (rest.rstrip("\n"), errors.rstrip("\n"))):
            say(text)
        if document:
            data(document)


class Prefixed(Through):
    """Hand output on with the host's name before each line."""

    def __init__(self, host: str, width: int) -> None:
        super().__init__()
        self._prefix = f"{host:{width}} | "

    def _show(self, lines: str) -> None:
        data("\n".join(self._prefix + line for line in lines.split("\n")))


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
    say(_red(f"{error.host}:{step} {error.message}") + hint)


def _bold(text: str) -> str:
    return _styled(text, "1")


def _red(text: str) -> str:
    return _styled(text, "31")


def _styled(text: str, style: str) -> str:
    """Return text in a style where stderr is a terminal that has any, and nobody has said NO_COLOR (no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stderr.isatty()
    return text if plain else f"\033[{style}m{text}\033[0m"
