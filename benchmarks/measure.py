"""Run whole processes and say what they cost."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """A measured command that did not do what it should: its time means nothing."""


@dataclass(frozen=True)
class Cost:
    """What one process cost: wall time, user and system time with its children's, and its lines as they came."""

    seconds: float
    cpu: float
    lines: tuple[tuple[float, str], ...]  # seconds since the start, line


@dataclass(frozen=True)
class Command:
    """A command that can be measured again and again; `last` is how its output must end."""

    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    last: str = ""

    def run(self) -> Cost:
        """Run it to its end, stdout and stderr in one stream.

        Raises Failed, with the last lines, for an exit code that is not 0 or another end than `last`.
        """
        before, begun = _children(), time.perf_counter()
        process = subprocess.Popen(
            self.argv,
            cwd=self.folder,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        try:
            lines = tuple((time.perf_counter() - begun, line.rstrip("\n")) for line in process.stdout)
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        cost = Cost(time.perf_counter() - begun, _children() - before, lines)
        if code or (self.last and (not lines or lines[-1][1] != self.last)):
            text = "\n".join(line for _, line in lines[-30:])
            raise Failed(f"{' '.join(self.argv)} ended with {code}:\n{text}")
        return cost


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def alternate(first: Command, second: Command, pairs: int) -> tuple[list[Cost], list[Cost]]:
    """Measure two commands by turns, after one unmeasured run of each: noise falls on both alike."""
    first.run()
    second.run()
    costs = [(first.run(), second.run()) for _ in range(pairs)]
    return [pair[0] for pair in costs], [pair[1] for pair in costs]


@dataclass(frozen=True)
class Spread:
    """The middle of several values, and how far apart they lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))


def ratios(first: Sequence[Cost], second: Sequence[Cost]) -> Spread:
    """Return how many times longer the first took than the second of the same pair."""
    return Spread.of([one.seconds / other.seconds for one, other in zip(first, second, strict=True)])


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)
