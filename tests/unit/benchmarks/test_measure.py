import sys
from pathlib import Path

import pytest

from benchmarks.measure import Command, Cost, Failed, Spread, by_turns, ratios


def cost(seconds: float, *lines: str) -> Cost:
    return Cost(seconds, seconds / 2, tuple((0.0, line) for line in lines))


def test_spread_is_middle_and_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)


def test_ratios_are_those_of_the_pairs() -> None:
    # Noise that affects both of a pair cancels out: the ratio of the medians would also be 20 here, but not the spread.
    assert ratios([cost(20), cost(40), cost(60)], [cost(1), cost(2), cost(4)]) == Spread(20.0, 15.0, 20.0)


def test_ratios_want_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([cost(1), cost(2)], [cost(1)])


def test_ways_are_measured_by_turns_after_a_warm_up(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def command(way: str) -> Command:
        return Command((sys.executable, "-c", f"print('{way}', file=open('log', 'a'))"), tmp_path, {})

    def before(way: str) -> None:
        with log.open("a") as file:
            print(f"before {way}", file=file)

    costs = by_turns({"a": command("a"), "b": command("b")}, 2, before)
    assert log.read_text().split("\n") == [*["before a", "a", "before b", "b"] * 3, ""]
    assert [len(own) for own in costs.values()] == [2, 2]


def test_a_command_that_ends_otherwise_than_it_should_means_nothing(tmp_path: Path) -> None:
    changes = Command((sys.executable, "-c", "print('done: 5 hosts changed')"), tmp_path, {}, last="no changes")
    with pytest.raises(Failed, match="done: 5 hosts changed"):
        changes.run()
