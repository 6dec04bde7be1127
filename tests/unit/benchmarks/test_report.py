import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.measure import Cost, Spread
from benchmarks.report import Goal, Section, side_by_side

GOAL = Goal("pyinfra / fab deploy", Spread(5.1, 4.7, 6.5), 5, at_least=True)
SECTION = Section(
    "Nothing to do", "Five hosts.", ("", "×"), (("pyinfra", "5.1"), ("ansible", "80.0")), (GOAL,), {"pyinfra": [4.6]}
)


def test_a_run_is_kept_as_markdown_and_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.save("# Benchmarks\n\n2 cores", [SECTION])
    assert path.read_text() == (
        "# Benchmarks\n\n2 cores\n\n## Nothing to do\n\nFive hosts.\n\n"
        "|         | ×    |\n|---------|------|\n| pyinfra | 5.1  |\n| ansible | 80.0 |\n\n"
        "- pyinfra / fab deploy: 5.10 (4.70–6.50) ×; goal at least 5: met\n"
    )
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "on": ["# Benchmarks", "", "2 cores"],
        "sections": [
            {
                "title": "Nothing to do",
                "note": "Five hosts.",
                "rows": [{"": "pyinfra", "×": "5.1"}, {"": "ansible", "×": "80.0"}],
                "goals": [
                    {
                        "what": "pyinfra / fab deploy",
                        "found": {"median": 5.1, "low": 4.7, "high": 6.5},
                        "limit": 5,
                        "at_least": True,
                        "unit": "×",
                        "met": True,
                    }
                ],
                "runs": {"pyinfra": [4.6]},
            }
        ],
    }


@pytest.mark.parametrize(
    ("found", "at_least", "met"), [(2.0, False, True), (2.1, False, False), (2.0, True, True), (1.9, True, False)]
)
def test_a_goal_is_met_at_its_limit_and_missed_beyond(found: float, at_least: bool, met: bool) -> None:
    assert Goal("a / b", Spread(found, 0, 9), 2, at_least).met is met


def test_ways_stand_side_by_side_with_the_ratios_of_their_rounds() -> None:
    def cost(seconds: float) -> Cost:
        return Cost(seconds, seconds / 2, ())

    costs = {"ansible": [cost(80), cost(90), cost(100)], "fab deploy": [cost(1.0), cost(0.9), cost(1.0)]}
    section = side_by_side("Nothing to do", "Five hosts.", costs, "fab deploy")
    assert section.rows == (
        ("ansible", "3", "90.00", "80.00–100.00", "45.00", "100.00", "80.00–100.00"),
        ("fab deploy", "3", "1.00", "0.90–1.00", "0.50", "1.00", "1.00–1.00"),
    )
    assert section.runs == {"ansible": [80, 90, 100], "fab deploy": [1.0, 0.9, 1.0]}
