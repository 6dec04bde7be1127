"""The engine's own time in a run, and its parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.restarts import Restart
from benchmarks.stages import Lines

Span = tuple[float, float]  # seconds since the beginning of the run

ASK, FILES, SEE, NEXT = "connect, ask", "write the files, ask again", "see that it is healthy", "to the next restart"


@dataclass(frozen=True)
class Engine:
    """The engine's own seconds in one run, and their parts."""

    seconds: float
    parts: dict[str, float]


def engine(lines: Lines, seconds: float, begun: float, restarts: Iterable[Restart]) -> Engine:
    """Subtract the restarts from a run; `begun` is seconds since the epoch.

    A restart lasts from the moment when systemd stops the unit until Airflow itself is healthy: meanwhile, an engine
    can only wait. The time that it takes to notice the end of the wait is its own.
    """
    end = begun + seconds
    during = [(each.stopping - begun, each.healthy - begun) for each in restarts if begun < each.stopping < end]
    gaps = outside(during, seconds)
    asked, written = _first_stages(lines)
    parts = {ASK: asked, FILES: written - asked, SEE: 0.0, NEXT: 0.0}
    for start, stop in gaps:
        start = max(start, written)
        seen = max((when for when, line in lines if start <= when <= stop and " healthy" in line), default=start)
        parts[SEE] += seen - start
        parts[NEXT] += stop - seen
    return Engine(sum(stop - start for start, stop in gaps), parts)


def outside(spans: Iterable[Span], end: float) -> list[Span]:
    """Return the parts of 0 to `end` that are outside all of the spans, in order."""
    gaps, reached = [], 0.0
    for start, stop in sorted(spans):
        if start > reached:
            gaps.append((reached, start))
        reached = max(reached, stop)
    return [*gaps, (reached, end)] if reached < end else gaps


def _first_stages(lines: Lines) -> Sequence[float]:
    """Return the start times of the first two stages: the first one writes files, and restarts nothing."""
    begun = [when for when, line in lines if line and not line.startswith(" ")]
    return begun[:2]
