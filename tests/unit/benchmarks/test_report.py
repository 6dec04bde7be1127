import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.report import Section

SECTION = Section("Nothing to do", "Goal: 2.", ("peer", "×"), (("pyinfra", "5.1"), ("ansible", "80.0")))


def test_a_run_is_kept_as_markdown_and_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.save("# Benchmarks\n\n2 cores", [SECTION])
    assert path.read_text() == (
        "# Benchmarks\n\n2 cores\n\n## Nothing to do\n\nGoal: 2.\n\n"
        "| peer    | ×    |\n|---------|------|\n| pyinfra | 5.1  |\n| ansible | 80.0 |\n"
    )
    assert json.loads(path.with_suffix(".json").read_text()) == {
        "on": ["# Benchmarks", "", "2 cores"],
        "sections": [
            {
                "title": "Nothing to do",
                "goal": "Goal: 2.",
                "rows": [{"peer": "pyinfra", "×": "5.1"}, {"peer": "ansible", "×": "80.0"}],
            }
        ],
    }
