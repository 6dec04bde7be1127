"""How the cost of a run with nothing to do grows with the number of hosts, and with the round trip to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from benchmarks.clones import clones
from benchmarks.measure import Cost, Spread, by_turns, median
from benchmarks.practice import Practice
from benchmarks.report import Goal, Section
from benchmarks.simulated import addresses, simulated

REAL = (1, 5, 10, 25, 50)
SIMULATED = (100, 200, 500)
DELAYS = (0, 20, 100)  # milliseconds of added round trip
HEADER = ("hosts", "round trip ms", "runs", "median s", "min–max s", "ms a host", "CPU s", "memory MB")
Points = Mapping[tuple[int, int], Sequence[Cost]]  # hosts, round trip → runs


def growth(fleet: Practice, rounds: int) -> Iterator[Section]:
    """Measure real hosts, then simulated ones, on a deployed fleet."""
    yield _real(fleet, rounds)
    yield _simulated(fleet, rounds)


def _real(fleet: Practice, rounds: int) -> Section:
    with clones(fleet, max(REAL)) as setup_node:
        costs = by_turns({str(number): setup_node(number) for number in REAL}, rounds)
    points = {(int(number), 0): own for number, own in costs.items()}
    note = (
        "Real hosts with systemd and sshd each, on the same cores as the controller: `fab setup-node`, on clones of a "
        "worker in which no Airflow runs."
    )
    return section("Growth: practice hosts", note, points, (straight("practice hosts", points, 0),))


def _simulated(fleet: Practice, rounds: int) -> Section:
    fleet.settle()  # every simulated host will give a real worker's answer at this point
    points = [(number, delay) for number in SIMULATED for delay in DELAYS]
    with ExitStack() as stack:
        stack.enter_context(addresses())
        ways = {name(*point): stack.enter_context(simulated(fleet, *point)) for point in points}
        found = by_turns(ways, rounds)
    costs = {point: found[name(*point)] for point in points}
    note = (
        "A process answers for all as a real worker did, to the byte and in the same time; the controller is real: "
        "`fab deploy`."
    )
    return section("Growth: simulated hosts", note, costs, goals(costs))


def goals(points: Points) -> tuple[Goal, ...]:
    """Return the goals for simulated hosts."""
    least, most = min(SIMULATED), max(SIMULATED)
    memory = Spread.of([cost.memory for delay in DELAYS for cost in points[most, delay]])
    return (
        Goal(f"{least} hosts at 20 ms", Spread.of([cost.seconds for cost in points[least, 20]]), 6, unit="s"),
        Goal(f"memory at {most} hosts", memory, 250, unit="MB"),
        *(straight(f"simulated hosts at {delay} ms", points, delay) for delay in DELAYS),
    )


def straight(what: str, points: Points, delay: int) -> Goal:
    """Return how straight the line is, round by round: see `bend`."""
    numbers = sorted(number for number, of in points if of == delay)
    rounds = zip(*(points[number, delay] for number in numbers), strict=True)
    bends = [bend([(n, cost.seconds) for n, cost in zip(numbers, each, strict=True)]) for each in rounds]
    return Goal(f"bend of the line, {what}", Spread.of(bends), 1.2)


def bend(points: Sequence[tuple[int, float]]) -> float:
    """Return the cost of one more host in the second half of the points, relative to the first half: 1 is linear.

    `points` are numbers of hosts with seconds, at least three.
    """

    def slope(first: tuple[int, float], last: tuple[int, float]) -> float:
        return (last[1] - first[1]) / (last[0] - first[0])

    middle = points[len(points) // 2]
    return slope(middle, points[-1]) / slope(points[0], middle)


def section(title: str, note: str, points: Points, goals: tuple[Goal, ...]) -> Section:
    """Return a row for each point."""
    rows = tuple(_row(*point, costs) for point, costs in points.items())
    runs = {name(*point): [round(cost.seconds, 3) for cost in costs] for point, costs in points.items()}
    return Section(title, note, HEADER, rows, goals, runs)


def name(number: int, delay: int) -> str:
    """Return a point's name."""
    return f"{number} hosts" + (f", {delay} ms" if delay else "")


def _row(number: int, delay: int, costs: Sequence[Cost]) -> tuple[str, ...]:
    seconds = Spread.of([cost.seconds for cost in costs])
    return (
        str(number),
        str(delay),
        str(len(costs)),
        f"{seconds.median:.2f}",
        f"{seconds.low:.2f}–{seconds.high:.2f}",
        f"{1000 * seconds.median / number:.1f}",
        f"{median([cost.cpu for cost in costs]):.2f}",
        f"{max(cost.memory for cost in costs):.0f}",
    )
