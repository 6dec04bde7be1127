"""A deploy with nothing to do: `fab deploy`, one bare SSH handshake and exec a host, and the peers."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from aerodrome.components.registry import components
from aerodrome.controller.hosts_file import load
from benchmarks.measure import Command, by_turns, ratios
from benchmarks.peers.engines import Peer, commands, unchanged
from benchmarks.peers.layout import lay_out
from benchmarks.peers.same import assert_same, fingerprints
from benchmarks.practice import OURS, PROJECT, Practice, operators
from benchmarks.report import Costs, Goal, Section, side_by_side

FLOOR = Path(__file__).with_name("floor.py")


def nothing(fleet: Practice, peers: Sequence[Peer], rounds: int) -> Section:
    """Measure all in turn on a deployed fleet, after ensuring that none of them changes anything."""
    theirs = commands(fleet, peers, "nothing", lay_out(fleet))
    wanted = fingerprints(fleet.lab)
    for command in theirs.values():
        command.run()  # installs what only the peer needs, such as its own uv
    fleet.settle()
    costs = by_turns({OURS: fleet.fab("deploy", last="no changes"), "floor": floor(fleet), **theirs}, rounds)
    for name in theirs:
        for cost in costs[name]:
            unchanged(cost)
    # On the same hosts, one after another: leftovers of one are detected even after the others.
    assert_same(wanted, fingerprints(fleet.lab), ", ".join(theirs), [each for peer in peers for each in peer.may])
    note = "Five hosts; the floor is a minimal Fabric script: connect and one exec a host, all at once."
    return side_by_side("Nothing to do", note, costs, OURS, goals(costs))


def goals(costs: Costs) -> tuple[Goal, ...]:
    """Return the goals for what was measured."""
    floor = Goal("Nothing to do: fab deploy / floor", ratios(costs[OURS], costs["floor"]), 1.2)
    aims = {"pyinfra": 5, "ansible": 80}
    return (
        floor,
        *(
            Goal(f"Nothing to do: {peer} / fab deploy", ratios(costs[peer], costs[OURS]), aim, at_least=True)
            for peer, aim in aims.items()
            if peer in costs
        ),
    )


def floor(fleet: Practice) -> Command:
    """Return the floor's command for the hosts of hosts.yaml: the same users, keys and jump host."""
    hosts = [
        {"name": host.name, "address": host.address, "user": host.user, "key": host.key, "jump": host.jump}
        for host in load(components().values(), str(fleet.hosts_yaml)).hosts.values()
    ]
    return Command((sys.executable, str(FLOOR), json.dumps(hosts)), PROJECT, operators())
