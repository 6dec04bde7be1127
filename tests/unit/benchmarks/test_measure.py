import pytest

from benchmarks.measure import Cost, Spread, ratios


def cost(seconds: float, *lines: str) -> Cost:
    return Cost(seconds, seconds / 2, tuple((0.0, line) for line in lines))


def test_spread_is_middle_and_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([4.0, 1.0]) == Spread(2.5, 1.0, 4.0)


def test_ratios_are_those_of_the_pairs() -> None:
    # Noise that falls on both of a pair falls out: the ratio of the medians would be 20 here too, the spread not.
    assert ratios([cost(20), cost(40), cost(60)], [cost(1), cost(2), cost(4)]) == Spread(20.0, 15.0, 20.0)


def test_ratios_want_pairs() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([cost(1), cost(2)], [cost(1)])
