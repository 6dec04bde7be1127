import pytest

from benchmarks import growth
from benchmarks.growth import bend, goals, section, straight
from benchmarks.measure import Cost, Spread


def cost(seconds: float, memory: float = 60) -> Cost:
    return Cost(seconds, seconds / 2, (), memory)


def test_a_line_has_no_bend_whatever_it_begins_with() -> None:
    assert bend([(1, 0.6), (10, 1.5), (25, 3.0), (50, 5.5)]) == pytest.approx(1)


def test_what_costs_more_and_more_has_one() -> None:
    # The square: from 10 to 50 hosts 60 a host, from 1 to 10 only 11; from 200 to 500 it is 700, from 100 to 200 300.
    assert bend([(n, n * n) for n in growth.REAL]) == pytest.approx(60 / 11)
    assert bend([(n, n * n) for n in growth.SIMULATED]) == pytest.approx(700 / 300)


def test_the_bend_is_that_of_each_round() -> None:
    # The second round was slower as a whole, by noise, and as straight.
    points = {(100, 0): [cost(1), cost(2)], (200, 0): [cost(2), cost(4)], (500, 0): [cost(5), cost(10)]}
    assert straight("x", points | {(100, 20): [cost(9)]}, 0).found == Spread(1, 1, 1)


def test_goals_are_for_100_hosts_at_20_ms_and_the_memory_at_500(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        (number, delay): [cost(number / 100 + delay, memory=number / 2), cost(number / 100 + delay, memory=number / 2)]
        for number in growth.SIMULATED
        for delay in growth.DELAYS
    }
    seconds, memory, *lines = goals(points)
    assert (seconds.what, seconds.found.median, seconds.limit, seconds.unit) == ("100 hosts at 20 ms", 21, 6, "s")
    assert (memory.what, memory.found.median, memory.limit, memory.unit) == ("memory at 500 hosts", 250, 250, "MB")
    assert (seconds.met, memory.met, [line.met for line in lines]) == (False, True, [True] * 3)


def test_a_point_is_a_row() -> None:
    found = section("Growth", "Note.", {(5, 0): [cost(1)], (100, 20): [cost(2.5), cost(3.5)]}, ())
    assert found.rows == (
        ("5", "0", "1", "1.00", "1.00–1.00", "200.0", "0.50", "60"),
        ("100", "20", "2", "3.00", "2.50–3.50", "30.0", "1.50", "60"),
    )
    assert found.runs == {"5 hosts": [1], "100 hosts, 20 ms": [2.5, 3.5]}
