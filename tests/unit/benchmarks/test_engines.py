from pathlib import Path

from benchmarks.__main__ import PARTS
from benchmarks.measure import Command
from benchmarks.peers.engines import PEERS, Peer, commands
from benchmarks.practice import Practice
from lab.fleet import Lab


def test_peers_take_part_in_measurements_that_there_are() -> None:
    for peer in PEERS:
        assert {*peer.ways} <= {*PARTS}, peer.name
        # Every measured way is known to leave the same state; with nothing to do, the measurement itself checks it.
        assert {"same", "nothing"} & {*peer.ways}, peer.name


def test_only_those_that_take_part_are_run() -> None:
    fleet, place = Practice(Lab("bench")), Path("/peers")
    run = Command(("sh",), place, {})
    peers = [Peer("here", {"first": lambda fleet, place: run}), Peer("elsewhere", {"change": lambda fleet, place: run})]
    assert commands(fleet, peers, "first", place) == {"here": run}
