"""The wait for tasks while no scheduler runs."""

from __future__ import annotations

from typing import Any

import pytest

from probes import drained
from tests.unit.probes.database import Connection, Cursor

TASK = ("queued", "d", "t")


class Clock:
    """The program's clock, which advances only while it sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def waited(monkeypatch: pytest.MonkeyPatch, rows: list[Any], force: bool = False) -> tuple[int, float]:
    """Return the result of waiting for tasks that never change, and the seconds that it took."""
    clock = Clock()
    monkeypatch.setattr(drained, "time", clock)
    connection = Connection(Cursor({"to_regclass": [("task_instance",)], "SELECT state": rows}))
    code = drained.wait(connection, 600, force, "@waiting for ", "@note: ")
    assert connection.rolled_back == clock.now / drained.PAUSE + 1  # each poll is a new transaction
    return code, clock.now


def test_nothing_to_wait_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert waited(monkeypatch, []) == (0, 0)
    assert capsys.readouterr().out == ""


def test_what_is_queued_for_a_minute_has_no_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waited(monkeypatch, [TASK]) == (0, 62)
    assert capsys.readouterr().out.splitlines() == [
        "@waiting for 1 queued: d.t; 0 of at most 600 s have passed",
        "@waiting for 1 queued: d.t; 32 of at most 600 s have passed",
        "@note: no worker takes 1 queued: d.t; Airflow queues them again, in ten minutes",
    ]


def test_what_runs_is_waited_for_until_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert waited(monkeypatch, [("running", "d", "t"), TASK]) == (1, 602)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:-2] == [
        "still 1 running and 1 queued: d.t, d.t",
        "2 tasks are queued or running after 600 s (deploy.drain_timeout)",
    ]
    assert waited(monkeypatch, [("running", "d", "t")], force=True) == (0, 602)


def test_many_are_counted() -> None:
    tasks = [("running", "d", f"t{number}") for number in range(10)]
    assert drained.told(tasks).endswith("d.t7, and 2 more")
