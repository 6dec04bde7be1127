import pytest

from benchmarks.engine import ASK, FILES, NEXT, SEE, engine, outside
from benchmarks.restarts import Restart

# As `fab deploy` printed it, shortened; the second scheduler's units restart in one script, one after the other.
LINES = (
    (0.5, "machines  (0 s)"),
    (0.6, "  sched1   node.environment      write /etc/default/airflow"),
    (1.0, "scheduler  (1 s)"),
    (1.1, "  sched1   roles.scheduler       restart airflow@scheduler.service"),
    (9.5, "  sched1   roles.scheduler       healthy: heartbeat 1 s ago"),
    (9.6, "schedulers  (9 s)"),
    (9.7, "  sched1   roles.dag-processor   restart airflow@dag-processor.service"),
    (11.0, "  sched1   roles.triggerer       restart airflow@triggerer.service"),
    (18.5, "  sched1   roles.dag-processor   healthy: heartbeat 3 s ago"),
    (18.5, "  sched1   roles.triggerer       healthy: heartbeat 1 s ago"),
    (18.5, "done: 1 host changed"),
)


def restart(role: str, stopping: float, healthy: float) -> Restart:
    return Restart("sched1", f"airflow@{role}.service", 1000 + stopping, 1000 + healthy)


def test_the_engine_is_what_is_not_a_restart() -> None:
    before = restart("scheduler", -90, -80)
    found = [before, restart("scheduler", 1.2, 9), restart("dag-processor", 9.8, 16), restart("triggerer", 11.1, 18)]
    taken = engine(LINES, 18.75, 1000, found)
    assert taken.seconds == pytest.approx(1.2 + 0.8 + 0.75)
    assert taken.parts == pytest.approx({ASK: 0.5, FILES: 0.5, SEE: 0.5 + 0.5, NEXT: 0.2 + 0.3 + 0.25})
    assert sum(taken.parts.values()) == pytest.approx(taken.seconds)


@pytest.mark.parametrize(
    ("spans", "gaps"),
    [
        ([], [(0, 10)]),
        ([(2, 4), (3, 5), (7, 8)], [(0, 2), (5, 7), (8, 10)]),
        ([(2, 9), (3, 4)], [(0, 2), (9, 10)]),
        ([(0, 12)], []),
    ],
)
def test_what_is_outside_of_spans(spans: list[tuple[float, float]], gaps: list[tuple[float, float]]) -> None:
    assert outside(spans, 10) == gaps
