"""The output of `fab releases`."""

from __future__ import annotations

import json

import pytest

from aerodrome.checks.releases import Release
from aerodrome.report.releases import show_releases, show_releases_as_json

ROWS = [
    Release("dags", "ok", "in use", host="w1", name="abc", put=1000, age=7300, state="in use"),
    Release("environment", "ok", "incomplete", host="w1", name="3.3.2-py3.11-\x1b[2J", state="incomplete"),
    Release("dags", "failed", "is down", host="w2"),
]


def test_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_releases(ROWS)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "host kind release deployed state"
    assert lines[1] == "w1 dags abc 2 h ago in use"
    assert lines[2].startswith("w1 environment 3.3.2-py3.11-") and lines[2].endswith(" never incomplete")
    assert "\x1b" not in lines[2]
    assert lines[3] == "w2 dags ? ? NOT KNOWN: is down"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_releases_as_json(ROWS)
    assert json.loads(capsys.readouterr().out) == [
        {"host": "w1", "kind": "dags", "name": "abc", "deployed": 1000, "state": "in use", "error": None},
        {
            "host": "w1",
            "kind": "environment",
            "name": "3.3.2-py3.11-\x1b[2J",
            "deployed": None,
            "state": "incomplete",
            "error": None,
        },
        {"host": "w2", "kind": "dags", "name": None, "deployed": None, "state": "unknown", "error": "is down"},
    ]
