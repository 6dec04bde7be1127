"""Tasks that Airflow 2 has planned get a version of their DAG."""

from __future__ import annotations

from typing import Any

import pytest

from probes import unversioned
from tests.unit.probes.database import Connection, Cursor


class Rows(Cursor):
    """A cursor that counts the rows of each UPDATE, and finds these DAGs left, one list for each look."""

    def __init__(self, counts: list[int], left: list[list[str]]) -> None:
        super().__init__({})
        self.counts, self.left = counts, left
        self.rowcount = 0

    def execute(self, query: str, values: Any = ()) -> None:
        super().execute(query, values)
        if query == unversioned.GIVE:
            self.rowcount = self.counts.pop(0)
        if query == unversioned.LEFT:
            self.rows = [(name,) for name in self.left.pop(0)]


class Committing(Connection):
    committed = 0

    def commit(self) -> None:
        self.committed += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(unversioned.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(unversioned.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    return now


def run(monkeypatch: pytest.MonkeyPatch, cursor: Cursor, found: bool = True) -> Committing:
    connection = Committing(cursor)
    monkeypatch.setattr(unversioned, "found_connection", lambda variable: found)
    monkeypatch.setattr(unversioned, "connect", lambda *given: connection)
    with pytest.raises(SystemExit) as ended:
        unversioned.main(60, "@note: ", "VARIABLE", ["airflow"])
    assert ended.value.code == 0
    return connection


def test_it_waits_until_the_dags_have_been_parsed(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    connection = run(monkeypatch, Rows([0, 2, 1], [["a", "b"], ["b"], []]))
    assert clock == [4.0] and connection.committed == 3
    assert connection.of.asked[0][0] == "SET LOCAL statement_timeout = 5000"
    assert capsys.readouterr().out == ("@note: 3 tasks that Airflow 2 had planned continue in Airflow 3\n")


def test_without_such_tasks_it_says_nothing(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, Rows([0], [[]]))
    assert clock == [0.0] and capsys.readouterr().out == ""


def test_dags_that_are_never_parsed_are_named_in_the_end(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"d{number}" for number in range(9)] + ["\x1b[2J"]
    run(monkeypatch, Rows([0] * 99, [names] * 99))
    assert clock == [62.0]
    assert capsys.readouterr().out == (
        "@note: runs that are not finished, of DAGs that Airflow 3 has not parsed: "
        "d0, d1, d2, d3, d4, d5, d6, d7, and 2 more\n"
    )


def test_an_error_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, Cursor({}), found=False)
    assert capsys.readouterr().out == (
        "@note: tasks that Airflow 2 had planned may begin ten minutes late: "
        "RuntimeError: this host has no connection to the database\n"
    )
