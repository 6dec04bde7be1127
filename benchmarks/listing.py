"""`fab --list`, on which tab completion waits, compared with an empty fabfile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Command, by_turns, ratios
from benchmarks.practice import FAB, PROJECT, operators
from benchmarks.report import Goal, Section, side_by_side

EMPTY = Path(__file__).with_name("empty")


def listing(rounds: int) -> Iterator[Section]:
    """Measure both in turn: the listing, and the command that tab completion runs."""
    yield _measure("fab --list", ("--list",), rounds)
    # As in the script printed by `fab --print-completion-script bash`.
    yield _measure("Tab completion", ("--complete", "--", "fab"), rounds)


def _measure(title: str, arguments: tuple[str, ...], rounds: int) -> Section:
    ours = Command((FAB, *arguments), PROJECT, operators())
    # Its directory has no fabric.yaml either, so only Fabric is measured.
    empty = Command((FAB, *arguments), EMPTY, operators())
    costs = by_turns({"Aerodrome": ours, "empty fabfile": empty}, rounds)
    goal = Goal(f"{title}: Aerodrome / empty fabfile", ratios(costs["Aerodrome"], costs["empty fabfile"]), 1.3)
    return side_by_side(title, f"fab {' '.join(arguments)}", costs, "empty fabfile", (goal,))
