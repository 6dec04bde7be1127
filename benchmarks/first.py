"""The first deploy of bare hosts, against the shell script of a careful operator."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from benchmarks.kit import SCRIPT, pack
from benchmarks.measure import Command, Cost, median
from benchmarks.practice import PROJECT, Practice
from benchmarks.report import Section
from benchmarks.stages import Lines, stage_seconds, step_seconds

HEADER = ("", "fab deploy s", "by hand s", "×")


def first(fleet: Practice, pairs: int) -> list[Section]:
    """Measure both on hosts wiped before each, `fab deploy` last; and take the time of their stages and steps."""
    ours, theirs = [], []
    warm_up(fleet)
    for _ in range(pairs):
        fleet.wipe()
        theirs.append(by_hand(fleet).run())
        fleet.wipe()
        ours.append(fleet.fab("deploy").run())
    goal = f"{pairs} pairs, download caches warm. Goal: at most 1.25 times by hand."
    total = _row("whole", [cost.seconds for cost in ours], [cost.seconds for cost in theirs])
    cpu = _row("CPU of the controller", [cost.cpu for cost in ours], [cost.cpu for cost in theirs])
    steps = "On the host where it took longest. By hand, node.unit is all files of a node."
    return [
        Section("First deploy, by stage", goal, HEADER, (*_rows(stage_seconds, ours, theirs), total, cpu)),
        Section("First deploy, by step", steps, HEADER, _rows(step_seconds, ours, theirs)),
    ]


def warm_up(fleet: Practice) -> None:
    """Set up one node by each way: what they download is then in the caches that all hosts share."""
    fleet.fab("-H", "worker1", "setup-node").run()


def by_hand(fleet: Practice) -> Command:
    """Return the operator's script, its files laid out."""
    arguments = (fleet.folder / "ssh_config", fleet.folder / "sudo-password", pack(fleet))
    return Command(("sh", str(SCRIPT), *map(str, arguments)), PROJECT, dict(os.environ), last="done")


Parse = Callable[[Lines, float], dict[str, float]]


def _rows(parse: Parse, ours: Sequence[Cost], theirs: Sequence[Cost]) -> tuple[tuple[str, ...], ...]:
    found = [[parse(cost.lines, cost.seconds) for cost in costs] for costs in (ours, theirs)]
    names = list(dict.fromkeys(name for costs in found for each in costs for name in each))
    return tuple(_row(name, *([each[name] for each in costs if name in each] for costs in found)) for name in names)


def _row(name: str, ours: Sequence[float], theirs: Sequence[float]) -> tuple[str, ...]:
    shown = [f"{median(values):.1f}" if values else "–" for values in (ours, theirs)]
    ratio = f"{median(ours) / median(theirs):.2f}" if ours and theirs and median(theirs) > 0.5 else ""
    return (name, *shown, ratio)
