"""Change one setting: a variable of all nodes, so that files are written and services restart.

An engine's own cost is everything except the restarts. The restarts are subtracted according to the hosts' own records,
so Aerodrome need not know that it is being measured. A restart lasts from the moment when a host's systemd stops a unit
(its journal) until its Airflow is healthy (the web server's and Celery's own log lines; for a job, its row in the
metadata database). Meanwhile, an engine can only wait. Everything else is the engine's: connecting, asking, writing,
asking again, noticing that a unit has become healthy, and continuing with the next one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from benchmarks.engine import Engine, engine
from benchmarks.kit import pack
from benchmarks.measure import Cost, Spread, by_turns
from benchmarks.nothing import floor
from benchmarks.peers.engines import Peer, commands
from benchmarks.peers.layout import lay_out
from benchmarks.practice import OURS, Practice
from benchmarks.report import Goal, Section, side_by_side
from benchmarks.restarts import restarts


class Setting:
    """The variable of all nodes that is changed, each time to a new value."""

    def __init__(self, fleet: Practice) -> None:
        self._fleet, self._values = fleet, count(time.time_ns())

    def change(self) -> None:
        """Set a new value in hosts.yaml and in what the peers send."""
        self._fleet.write_hosts({"BENCHMARK": str(next(self._values))})
        lay_out(self._fleet)
        pack(self._fleet)

    def assert_made(self) -> None:
        """Raise Failed if Aerodrome finds anything left to do, such as a file to write or a unit to restart."""
        self._fleet.fab("plan").run()


def change(fleet: Practice, peers: Sequence[Peer], rounds: int, long_rounds: int) -> Iterator[Section]:
    """Compare the engine with the floor of the same round, then the whole run with the peers."""
    setting = Setting(fleet)
    yield _engine(fleet, setting, rounds)
    if any("change" in peer.ways for peer in peers):
        yield _side_by_side(fleet, setting, peers, long_rounds)


def _engine(fleet: Practice, setting: Setting, rounds: int) -> Section:
    began: list[float] = []
    since = time.time()

    def before(way: str) -> None:
        if way == OURS:
            setting.change()
            began.append(time.time())

    costs = by_turns({OURS: fleet.fab("deploy"), "floor": floor(fleet)}, rounds, before, warm_up=False)
    setting.assert_made()
    found = restarts(fleet, since)
    engines = [engine(cost.lines, cost.seconds, begun, found) for cost, begun in zip(costs[OURS], began, strict=True)]
    return report(costs, engines)


def report(costs: Mapping[str, Sequence[Cost]], engines: Sequence[Engine]) -> Section:
    """Return the engine's time, part by part, next to the floor of the same round."""
    floors = [cost.seconds for cost in costs["floor"]]

    def row(name: str, values: Sequence[float]) -> tuple[str, ...]:
        times = Spread.of([value / base for value, base in zip(values, floors, strict=True)])
        return (name, f"{Spread.of(values):.2f}", f"{times:.2f}")

    whole = [cost.seconds for cost in costs[OURS]]
    own = [each.seconds for each in engines]
    rows = [row("floor", floors), row("the engine", own)]
    rows += [row(f"– {part}", [each.parts[part] for each in engines]) for part in engines[0].parts]
    rows += [row("restarts", [all_ - mine for all_, mine in zip(whole, own, strict=True)]), row("whole", whole)]
    note = (
        "A variable of four nodes: files written, six services restarted, rolling, each healthy before the next. "
        "A restart lasts from when systemd stops the unit until Airflow in it says that it is up; "
        "all else is the engine's."
    )
    ratio = Spread.of([mine / base for mine, base in zip(own, floors, strict=True)])
    goal = Goal("One setting changed: engine of fab deploy / floor", ratio, 3)
    runs = {"floor": floors, "engine": own, "whole": whole}
    runs = {name: [round(value, 3) for value in values] for name, values in runs.items()}
    return Section("One setting changed", note, ("", "s", "× floor"), tuple(rows), (goal,), runs)


def _side_by_side(fleet: Practice, setting: Setting, peers: Sequence[Peer], rounds: int) -> Section:
    theirs = commands(fleet, peers, "change", lay_out(fleet))
    for command in theirs.values():
        command.run()  # installs what only the peer needs, such as its own uv

    def before(way: str) -> None:
        setting.assert_made()  # by the one before
        setting.change()

    costs = by_turns({OURS: fleet.fab("deploy"), **theirs}, rounds, before, warm_up=False)
    setting.assert_made()
    note = (
        "The same, as wall time. fab deploy and the script by hand restart one host of a role after the other and wait "
        "until each is healthy. Ansible's handler restarts all nodes at once and waits for nothing, pyinfra restarts "
        "the hosts of a role at once and waits for nothing."
    )
    return side_by_side("One setting changed, all ways", note, costs, OURS)
