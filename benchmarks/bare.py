"""Whether each way leaves bare hosts in the same state as `fab deploy`. If not, its time means nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from benchmarks.peers.engines import Peer, commands
from benchmarks.peers.layout import lay_out
from benchmarks.peers.same import assert_same, fingerprints
from benchmarks.practice import OURS, Practice
from benchmarks.report import Section


def bare(fleet: Practice, peers: Sequence[Peer]) -> Section:
    """Deploy bare hosts once in each way, `fab deploy` first; raise Failed if another way leaves a different state."""
    may = {peer.name: peer.may for peer in peers}
    rows = []
    ways = {OURS: fleet.fab("deploy"), **commands(fleet, peers, "same", lay_out(fleet))}
    for way, command in ways.items():
        fleet.wipe()
        cost = command.run()
        print(f"benchmarks: {way}, once: {cost.seconds:.1f} s", file=sys.stderr, flush=True)
        found = fingerprints(fleet.lab)
        if way == OURS:
            wanted = found
        else:
            assert_same(wanted, found, way, may[way])
        lines = sum(map(len, found.values()))
        rows.append((way, str(lines), "; ".join(each.reason for each in may.get(way, ()))))
    note = (
        "After one deploy of bare hosts, compared line by line: packages, users, files with owner, mode and content, "
        "units, PostgreSQL's roles, databases, access and settings, Python packages."
    )
    return Section("The same is left", note, ("", "lines", "what it has beside, and why"), tuple(rows))
