import pytest

from benchmarks.measure import Cost, Failed, Spread
from benchmarks.nothing import goals
from benchmarks.peers.engines import unchanged
from benchmarks.report import Goal


def cost(seconds: float, *lines: str) -> Cost:
    return Cost(seconds, seconds / 2, tuple((0.0, line) for line in lines))


def test_goals_are_for_those_that_were_measured() -> None:
    costs = {"fab deploy": [cost(1.0), cost(2.0)], "floor": [cost(0.5), cost(0.5)], "pyinfra": [cost(4), cost(8)]}
    assert goals(costs) == (
        Goal("Nothing to do: fab deploy / floor", Spread(3.0, 2.0, 4.0), 1.2),
        Goal("Nothing to do: pyinfra / fab deploy", Spread(4.0, 4.0, 4.0), 5, at_least=True),
    )


def test_a_run_that_changed_something_did_not_only_look() -> None:
    recap = "db1    : ok=6    changed={}    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0"
    unchanged(cost(80, "PLAY RECAP ***", recap.format(0)))
    unchanged(cost(5, "--> Starting operation: Make the user ", "    [db1]     Skipped", "    [web1]    No changes"))
    with pytest.raises(Failed, match="there was something to do"):
        unchanged(cost(5, "--> Starting operation: Make the user ", "    [db1]     Skipped", "    [web1]    Success"))
    with pytest.raises(Failed, match="there was something to do"):
        unchanged(cost(80, "PLAY RECAP ***", recap.format(2)))
