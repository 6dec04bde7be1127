"""What `fab backups` prints."""

from __future__ import annotations

import json

import pytest

from aerodrome.checks.backups import Backup, Drill
from aerodrome.report.backups import restore_plan, show_backups, show_backups_as_json
from tests.unit.make import inputs

NAME = "20261201T005031Z-1f3a"
WHOLE = Backup("backup", "ok", "whole", host="db1", name=NAME, at=1000, age=7300, bytes=174941, airflow="3.3.2")
ROWS = [
    WHOLE,
    Backup(**{**WHOLE.__dict__, "drill": Drill(NAME, 1100, True)}),
    Backup(**{**WHOLE.__dict__, "drill": Drill(NAME, 1100, False), "airflow": ""}),
    Backup("backup", "failed", "its manifest cannot be read", host="db1", name=NAME),
    Backup("backup", "failed", "is down \x1b[2J", host="db1"),
]


def test_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    show_backups(ROWS)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "backup age airflow size drilled state",
        f"{NAME} 2 h 3.3.2 0.2 MB never whole",
        f"{NAME} 2 h 3.3.2 0.2 MB ok, 2 h ago whole",
        f"{NAME} 2 h ? 0.2 MB FAILED 2 h ago (fab history --run=1f3a) whole",
        f"{NAME} ? ? ? ? CANNOT BE USED: its manifest cannot be read",
        "? ? ? ? ? CANNOT BE USED: is down \\x1b[2J",
    ]


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_backups_as_json([ROWS[1], ROWS[4]])
    assert json.loads(capsys.readouterr().out) == [
        {
            "host": "db1",
            "name": NAME,
            "made": 1000,
            "age": 7300,
            "bytes": 174941,
            "airflow": "3.3.2",
            "postgresql": None,
            "heads": [],
            "rows": {},
            "fernet_keys": [],
            "drill": {"run": NAME, "at": 1100, "ok": True},
            "error": None,
        },
        {
            "host": "db1",
            "name": None,
            "made": None,
            "age": None,
            "bytes": None,
            "airflow": None,
            "postgresql": None,
            "heads": [],
            "rows": {},
            "fernet_keys": [],
            "drill": None,
            "error": "is down \x1b[2J",
        },
    ]


def test_what_a_restore_is_going_to_do() -> None:
    row = Backup(**{**WHOLE.__dict__, "rows": {"dag_run": 5}})
    assert restore_plan(inputs(), row, "airflow_before_x").splitlines() == [
        f"backup {NAME}: made 2 h ago, Airflow 3.3.2, 5 DAG runs, drilled: never",
        "  1. db1: restore it into a scratch database and check it, while everything runs",
        "  2. stop all services; workers finish their running tasks first (at most 600 s)",
        "  3. db1: keep database airflow as airflow_before_x, and use the restored one",
        "  4. start all services, and wait until they are healthy",
        "Airflow forgets what has happened since the backup (runs, connections, logins); it stays in airflow_before_x.",
        "If anything fails from 2 on, the database of before is used again and services start with it.",
    ]
