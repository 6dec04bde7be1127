"""The tasks that run on a host."""

from __future__ import annotations

import socket

import pytest

from probes.census import age, described, running, text
from tests.unit.probes.database import Cursor

BOUND = ("SET LOCAL statement_timeout = 5000", ())


@pytest.mark.parametrize(
    "seconds, words",
    [(None, "not started"), (0.9, "0 s"), (119.9, "119 s"), (120, "2 min"), (3599, "59 min")],
)
def test_ages(seconds: float | None, words: str) -> None:
    assert age(seconds) == words


def test_a_name_cannot_lead_a_terminal_astray() -> None:
    assert text("a\x1b[2J\\n\u202eb\n") == "a?[2J?n?b?"
    assert len(text("x" * 999)) == 200


def test_a_mapped_task_has_its_index() -> None:
    assert described("d", "t", "r", 0, 1) == "d.t[0] (r, 1 s)"
    assert described("d", "t", "r", -1, None) == "d.t (r, not started)"


def test_no_statement_waits_for_long_and_all_names_of_the_host_are_asked_for() -> None:
    row = ("d", "t", "r", -1, 1.0)
    cursor = Cursor({"information_schema": [("run_id",), ("map_index",)], "SELECT task.": [row]})
    assert running(cursor, "w1") == [row]
    bound, _, (query, values) = cursor.asked
    assert bound == BOUND
    assert "task.run_id, task.map_index" in query and "LEFT JOIN job" in query
    assert values == (["w1", socket.getfqdn(), socket.gethostname()],)


def test_a_database_without_tables_runs_nothing() -> None:
    assert running(Cursor({}), "w1") == []
