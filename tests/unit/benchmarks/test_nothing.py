import pytest

from benchmarks.measure import Cost, Failed
from benchmarks.peers.nothing import row, unchanged


def cost(seconds: float, *lines: str) -> Cost:
    return Cost(seconds, seconds / 2, tuple((0.0, line) for line in lines))


def test_row_has_medians_and_the_ratios_of_the_pairs() -> None:
    theirs, ours = [cost(80), cost(90), cost(100)], [cost(1.0), cost(0.9), cost(1.0)]
    assert row("ansible", theirs, ours) == (
        "ansible",
        "3",
        "90.00",
        "80.00–100.00",
        "45.00",
        "1.00",
        "100.0",
        "80.0–100.0",
    )


def test_a_run_that_changed_something_did_not_only_look() -> None:
    recap = "db1    : ok=6    changed={}    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0"
    unchanged(cost(80, "PLAY RECAP ***", recap.format(0)))
    unchanged(cost(5, "--> Starting operation: Make the user ", "    [db1]     Skipped", "    [web1]    No changes"))
    with pytest.raises(Failed, match="there was something to do"):
        unchanged(cost(5, "--> Starting operation: Make the user ", "    [db1]     Skipped", "    [web1]    Success"))
    with pytest.raises(Failed, match="there was something to do"):
        unchanged(cost(80, "PLAY RECAP ***", recap.format(2)))
