"""The first deploy of bare hosts: `fab deploy`, a careful operator's shell script, and the peers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.measure import Command, Cost, by_turns, median, ratios
from benchmarks.peers.engines import Peer, commands
from benchmarks.peers.layout import lay_out
from benchmarks.practice import OURS, Practice
from benchmarks.report import Costs, Goal, Section, side_by_side
from benchmarks.stages import Lines, stage_seconds, step_seconds

BY_HAND = "by-hand"
HEADER = ("", "fab deploy s", "by hand s", "×")


def first(fleet: Practice, peers: Sequence[Peer], rounds: int) -> Iterator[Section]:
    """Measure all in turn, with hosts wiped before each; all downloads are cached."""
    fleet.keep_downloads()

    def before(way: str) -> None:
        fleet.wipe()
        fleet.lend_downloads()

    costs = by_turns(_ways(fleet, peers, "first"), rounds, before)
    note = "Each host has what apt, uv and pip download for it already; each way was run once before, unmeasured."
    yield from _sections("warm", note, costs)


def cold(fleet: Practice, peers: Sequence[Peer], rounds: int) -> Iterator[Section]:
    """Measure all in turn, each on wiped hosts with empty download caches."""

    def before(way: str) -> None:
        fleet.wipe()
        fleet.forget_downloads()

    costs = by_turns(_ways(fleet, peers, "cold"), rounds, before, warm_up=False)
    yield from _sections("cold", "No host has downloaded any package or package list before.", costs)


def _ways(fleet: Practice, peers: Sequence[Peer], part: str) -> dict[str, Command]:
    return {OURS: fleet.fab("deploy"), **commands(fleet, peers, part, lay_out(fleet))}


def _sections(state: str, note: str, costs: Costs) -> Iterator[Section]:
    title = f"First deploy, {state} package cache"
    yield side_by_side(title, f"Five bare hosts. {note}", costs, OURS, goals(title, costs))
    if BY_HAND in costs:
        yield from parts(title, costs[OURS], costs[BY_HAND])


def goals(title: str, costs: Costs) -> tuple[Goal, ...]:
    """Return the goals for what was measured."""
    found = []
    if "ansible-pip" in costs:
        what = f"{title}: ansible-pip / fab deploy"
        found.append(Goal(what, ratios(costs["ansible-pip"], costs[OURS]), 2, at_least=True))
    if BY_HAND in costs:
        found.append(Goal(f"{title}: fab deploy / by hand", ratios(costs[OURS], costs[BY_HAND]), 1.15))
    return tuple(found)


def parts(title: str, ours: Sequence[Cost], theirs: Sequence[Cost]) -> list[Section]:
    """Return where the time of `fab deploy` and of the operator's script goes, by stage and by step."""
    total = _row("whole", [cost.seconds for cost in ours], [cost.seconds for cost in theirs])
    cpu = _row("CPU of the controller", [cost.cpu for cost in ours], [cost.cpu for cost in theirs])
    note = "Medians of the same runs."
    steps = f"{note} On the host where it took longest. By hand, node.unit is all files of a node."
    return [
        Section(f"{title}, by stage", note, HEADER, (*_rows(stage_seconds, ours, theirs), total, cpu)),
        Section(f"{title}, by step", steps, HEADER, _rows(step_seconds, ours, theirs)),
    ]


Parse = Callable[[Lines, float], dict[str, float]]


def _rows(parse: Parse, ours: Sequence[Cost], theirs: Sequence[Cost]) -> tuple[tuple[str, ...], ...]:
    found = [[parse(cost.lines, cost.seconds) for cost in costs] for costs in (ours, theirs)]
    names = list(dict.fromkeys(name for costs in found for each in costs for name in each))
    return tuple(_row(name, *([each[name] for each in costs if name in each] for costs in found)) for name in names)


def _row(name: str, ours: Sequence[float], theirs: Sequence[float]) -> tuple[str, ...]:
    shown = [f"{median(values):.1f}" if values else "–" for values in (ours, theirs)]
    ratio = f"{median(ours) / median(theirs):.2f}" if ours and theirs and median(theirs) > 0.5 else ""
    return (name, *shown, ratio)
