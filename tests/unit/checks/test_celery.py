"""A part of a fleet does not move its broker or results alone."""

from __future__ import annotations

from aerodrome.checks.celery import Unmoved
from tests.unit.resources.test_celery import BROKER, PLACES

RUNS, STOPPED = "ActiveState=active\n", "ActiveState=inactive\n"
UNMOVED = Unmoved(PLACES, ("airflow@scheduler.service", "airflow@worker.service"))


def test_a_part_of_a_fleet_that_runs_does_not_move_alone() -> None:
    moved = f"{BROKER}=redis://h/0\n"
    for states in (f"{STOPPED}\n\n{RUNS}", f"{RUNS}\n\n{STOPPED}"):
        (finding,) = UNMOVED.judge(f"{moved}\n\n{states}")
        assert finding.verdict == "refused"
        assert "leave the rest of the fleet behind" in finding.detail
        assert finding.hint.startswith("run fab deploy for the whole fleet")
    assert UNMOVED.judge(f"{moved}\n\n{STOPPED}\n\n{STOPPED}") == []
    assert UNMOVED.judge(f"\n\n{RUNS}\n\n{RUNS}") == []
    assert UNMOVED.judge("") == []
