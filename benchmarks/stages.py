"""The output of a first deploy, as seconds per stage and step. `fab deploy` and by_hand.sh both print in this form:

database  (2 s)
  db1      database.packages     install postgresql
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Lines = Sequence[tuple[float, str]]
PARTS = {"node.files": "node.unit"}  # one step by hand, the first of several with fab
CONNECT = "connect, ask"


def stage_seconds(lines: Lines, end: float) -> dict[str, float]:
    """Return how long each stage took: until the next one started, or the end."""
    begun = [(when, line.split("  ")[0]) for when, line in lines if line and not line.startswith((" ", "done"))]
    marks = [(0.0, CONNECT), *begun, (end, "")]
    return {name: later - when for (when, name), (later, _) in pairwise(marks) if later - when > 0.05}


def step_seconds(lines: Lines, end: float) -> dict[str, float]:
    """Return how long each step took on its slowest host.

    A step lasts until the next line of that host, or the end of the stage.

    A line with `healthy` ends its step and starts none.
    """
    longest: dict[str, float] = {}
    running: dict[str, tuple[float, str]] = {}
    totals: dict[tuple[str, str], float] = {}

    def stop(host: str, when: float) -> None:
        if host in running:
            begun, step = running.pop(host)
            totals[host, step] = totals.get((host, step), 0.0) + when - begun

    for when, line in [*lines, (end, "done")]:
        if not line.startswith("  "):
            for host in list(running):
                stop(host, when)
            continue
        host, step, *rest = line.split(None, 2)
        if rest and rest[0].startswith("healthy"):
            stop(host, when)
        elif "." in step:
            stop(host, when)
            running[host] = (when, PARTS.get(step, step))
    for (_, step), seconds in totals.items():
        longest[step] = max(longest.get(step, 0.0), seconds)
    return longest
