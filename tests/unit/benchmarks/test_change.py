from benchmarks.change import report
from benchmarks.engine import Engine
from benchmarks.measure import Cost, Spread
from benchmarks.report import Goal


def cost(seconds: float) -> Cost:
    return Cost(seconds, seconds / 2, ())


def test_the_engine_stands_beside_the_floor_of_its_round() -> None:
    costs = {"fab deploy": [cost(60), cost(70)], "floor": [cost(0.5), cost(1)]}
    section = report(costs, [Engine(2, {"connect, ask": 1}), Engine(3, {"connect, ask": 2})])
    assert section.rows == (
        ("floor", "0.75 (0.50–1.00)", "1.00 (1.00–1.00)"),
        ("the engine", "2.50 (2.00–3.00)", "3.50 (3.00–4.00)"),
        ("– connect, ask", "1.50 (1.00–2.00)", "2.00 (2.00–2.00)"),
        ("restarts", "62.50 (58.00–67.00)", "91.50 (67.00–116.00)"),
        ("whole", "65.00 (60.00–70.00)", "95.00 (70.00–120.00)"),
    )
    assert section.goals == (Goal("One setting changed: engine of fab deploy / floor", Spread(3.5, 3.0, 4.0), 3),)
    assert section.runs == {"floor": [0.5, 1], "engine": [2, 3], "whole": [60, 70]}
