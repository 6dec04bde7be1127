"""A deploy with nothing to do by each peer, on the very hosts where `fab deploy` has nothing to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, Cost, Failed, Spread, alternate, ratios
from benchmarks.peers import engines
from benchmarks.peers.layout import lay_out
from benchmarks.peers.same import ANSIBLE, MayDiffer, assert_same, fingerprints
from benchmarks.practice import Practice
from benchmarks.report import Section

HEADER = ("peer", "pairs", "median s", "min–max s", "CPU s", "fab deploy s", "× fab deploy", "min–max ×")
# As Ansible's recap has it, and pyinfra's line for a host whose operation did something.
CHANGED = re.compile(r"^\s+\[\S+\]\s+(Success|Error)|\bchanged=[1-9]|\bfailed=[1-9]|\bunreachable=[1-9]")


@dataclass(frozen=True)
class Peer:
    """A way to deploy, how often it is measured, and what it may leave beside what Aerodrome leaves."""

    name: str
    command: Callable[[Practice, Path], Command]
    pairs: int
    may: Sequence[MayDiffer] = ()


PEERS = (
    Peer("pyinfra", engines.pyinfra, 5),
    Peer("ansible-mitogen", engines.ansible_mitogen, 5, ANSIBLE),
    Peer("ansible-pipelining", engines.ansible_pipelining, 5, ANSIBLE),
    Peer("ansible", engines.ansible, 3, ANSIBLE),
)
NAMES = tuple(peer.name for peer in PEERS)


def peers(fleet: Practice, names: Iterable[str]) -> Section:
    """Measure each by turns with `fab deploy`, after it has been made sure that neither changes anything."""
    place = lay_out(fleet)
    ours = fleet.fab("deploy", last="no changes")
    rows = tuple(_measure(fleet, place, peer, ours) for peer in PEERS if peer.name in names)
    goal = "Goal: at least 5 times faster than pyinfra, and 80 times than Ansible."
    return Section("Nothing to do, side by side", goal, HEADER, rows)


def _measure(fleet: Practice, place: Path, peer: Peer, ours: Command) -> tuple[str, ...]:
    wanted, command = fingerprints(fleet.lab), peer.command(fleet, place)
    command.run()  # brings what only the peer needs, such as uv in a place of its own
    unchanged(command.run())
    theirs, own = alternate(command, ours, peer.pairs)
    for cost in theirs:
        unchanged(cost)
    assert_same(wanted, fingerprints(fleet.lab), peer.name, peer.may)
    done = row(peer.name, theirs, own)
    # The whole takes a quarter of an hour: what is done is shown, whatever comes of the rest.
    print("benchmarks: " + ", ".join(map(" ".join, zip(HEADER, done, strict=True))), file=sys.stderr, flush=True)
    return done


def unchanged(cost: Cost) -> None:
    """Raise Failed where a run says that it changed something: it then did more than look."""
    lines = [line for _, line in cost.lines if CHANGED.search(line)]
    if lines:
        raise Failed("there was something to do:\n" + "\n".join(line for _, line in cost.lines[-60:]))


def row(name: str, theirs: Sequence[Cost], ours: Sequence[Cost]) -> tuple[str, ...]:
    """Return a row of the table: what a peer costs, and how many times that of `fab deploy` in the same pair."""
    spread, times = Spread.of([cost.seconds for cost in theirs]), ratios(theirs, ours)
    return (
        name,
        str(len(theirs)),
        f"{spread.median:.2f}",
        f"{spread.low:.2f}–{spread.high:.2f}",
        f"{Spread.of([cost.cpu for cost in theirs]).median:.2f}",
        f"{Spread.of([cost.seconds for cost in ours]).median:.2f}",
        f"{times.median:.1f}",
        f"{times.low:.1f}–{times.high:.1f}",
    )
