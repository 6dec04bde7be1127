"""Run whole processes and measure their cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


class Failed(Exception):
    """A measured command did not do its job: its time means nothing."""


@dataclass(frozen=True)
class Cost:
    """The cost of one process: wall time, user and system time including children, and its lines with their times."""

    seconds: float
    cpu: float
    lines: tuple[tuple[float, str], ...]  # seconds since the start, line
    memory: float = 0  # peak MB, at least this process's own at the start of the other (Linux)


@dataclass(frozen=True)
class Command:
    """A command that can be measured repeatedly; `last` is how its output must end."""

    argv: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    last: str = ""

    def run(self) -> Cost:
        """Run it to its end, stdout and stderr in one stream.

        Raises Failed, with the last lines, for an exit code that is not 0 or another end than `last`.
        """
        begun = time.perf_counter()
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
            # Not wait(): it discards the kernel's counters.
            _, status, used = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = time.perf_counter() - begun
        cost = Cost(seconds, used.ru_utime + used.ru_stime, lines, used.ru_maxrss / 1024)
        if code or (self.last and (not lines or lines[-1][1] != self.last)):
            text = "\n".join(line for _, line in lines[-30:])
            raise Failed(f"{' '.join(self.argv)} ended with {code}:\n{text}")
        return cost


def by_turns(
    ways: Mapping[str, Command],
    rounds: int,
    before: Callable[[str], None] = lambda way: None,
    warm_up: bool = True,
) -> dict[str, list[Cost]]:
    """Measure all ways in turn, so that noise affects all alike; `before` prepares the hosts for a way.

    With `warm_up` each way is run once before, unmeasured.
    """
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    for each in range(rounds + warm_up):
        for way, command in ways.items():
            before(way)
            cost = command.run()
            if each or not warm_up:
                costs[way].append(cost)
                print(f"benchmarks: {way}: {cost.seconds:.2f} s", file=sys.stderr, flush=True)
    return costs


@dataclass(frozen=True)
class Spread:
    """The median and range of several values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values))

    def __format__(self, form: str) -> str:
        """Write it as `1.74 (1.62–1.91)`, each number in `form`."""
        return f"{self.median:{form}} ({self.low:{form}}–{self.high:{form}})"


def ratios(first: Sequence[Cost], second: Sequence[Cost]) -> Spread:
    """Return the median ratio of the first to the second of each pair."""
    return Spread.of([one.seconds / other.seconds for one, other in zip(first, second, strict=True)])


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)
