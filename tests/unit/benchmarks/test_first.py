from benchmarks.first import goals, parts
from benchmarks.measure import Cost, Spread
from benchmarks.report import Goal

OURS = Cost(50, 4, ((1, "machines  (1 s)"), (1, "  web1  node.packages  install gcc"), (31, "webservers  (31 s)")))
THEIRS = Cost(45, 1, ((0, "machines"), (1, "  web1  node.packages"), (26, "webservers")))


def test_goals_are_for_those_that_were_measured() -> None:
    costs = {"fab deploy": [OURS], "ansible-pip": [Cost(150, 9, ())]}
    assert goals("First", costs) == (Goal("First: ansible-pip / fab deploy", Spread(3.0, 3.0, 3.0), 2, at_least=True),)
    assert goals("First", {"fab deploy": [Cost(46, 4, ())], "by-hand": [Cost(40, 1, ())]}) == (
        Goal("First: fab deploy / by hand", Spread(1.15, 1.15, 1.15), 1.15),
    )


def test_time_is_reported_by_stage_and_by_step() -> None:
    stages, steps = parts("First", [OURS], [THEIRS])
    assert stages.rows == (
        ("connect, ask", "1.0", "–", ""),
        ("machines", "30.0", "26.0", "1.15"),
        ("webservers", "19.0", "19.0", "1.00"),
        ("whole", "50.0", "45.0", "1.11"),
        ("CPU of the controller", "4.0", "1.0", "4.00"),
    )
    assert steps.rows == (("node.packages", "30.0", "25.0", "1.20"),)
