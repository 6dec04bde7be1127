"""Airflow's own reports on a host."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from probes import health
from probes.health import Airflow, called, watch
from tests.unit.probes.database import Connection, Cursor


def airflow(**ask: object) -> Airflow:
    return Airflow(ask, "URL", [], "NAMED_BY")


def test_a_name_that_cannot_be_asked_hides_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAMED_BY", "no_such_module:name")
    monkeypatch.setenv("AIRFLOW_HOME", "/nowhere")
    asked = airflow(name=True, ports={})
    monkeypatch.setattr(asked, "ports", lambda: {"worker": ""})
    assert json.loads(asked.look()) == {
        "name_error": "ModuleNotFoundError: No module named 'no_such_module'",
        "ports": {"worker": ""},
    }


def test_the_name_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config/named_by_test.py").write_text(
        "calls = []\ndef name():\n    calls.append(1)\n    return f'w{len(calls)}'\n"
    )
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("NAMED_BY", "named_by_test:name")
    asked = airflow(name=True)
    assert [asked.names(), asked.names()] == [("w1",), ("w1",)]
    assert called("named_by_test.name") == "w2"


def test_a_broken_connection_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[str, Any] = {"to_regclass": [("job",)], "SELECT job_type": [("SchedulerJob", 2.5, 9.5)]}
    made = []

    def connect(variable: str, public: list[str]) -> Connection:
        assert (variable, public) == ("URL", [])
        made.append(Connection(Cursor(rows)))
        return made[-1]

    monkeypatch.setattr(health, "connect", connect)
    asked = airflow(jobs=True)
    heartbeat = {"jobs": {"SchedulerJob": {"age": 2.5, "started": 9.5}}}
    assert [json.loads(asked.look()), json.loads(asked.look())] == [heartbeat, heartbeat]
    rows["to_regclass"] = RuntimeError("the server closed the connection\nmore")
    assert json.loads(asked.look()) == {"jobs_error": "RuntimeError: the server closed the connection"}
    rows["to_regclass"] = [(None,)]
    assert json.loads(asked.look()) == {"jobs": {}}
    assert [each.closed for each in made] == [1, 0]


class Stream:
    """A text stream with its byte buffer, like sys.stdin and sys.stdout."""

    def __init__(self, text: str = "") -> None:
        self.buffer = io.BytesIO(text.encode())


def test_looks_that_have_waited_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    alarms: list[int] = []
    monkeypatch.setattr("signal.alarm", alarms.append)
    monkeypatch.setattr("time.time", lambda: 1000.0)
    out = Stream()
    monkeypatch.setattr(sys, "stdin", Stream("999\nunit\n@ask\n998\nunit\n@ask\n1000\n@ask\n1000\nunasked\n"))
    monkeypatch.setattr(sys, "stdout", out)
    watch(airflow(), b"@ask\n", "@looked")
    assert out.buffer.getvalue() == b"999\nunit\n{}\n@looked\n1000\n{}\n@looked\n"
    assert alarms == [10, 10, 10]
