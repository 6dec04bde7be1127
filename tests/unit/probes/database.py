"""A stand-in for the metadata database: it gives the test's answers, and records the queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Cursor:
    """A cursor of psycopg2: `answers` are the rows of a query, by a part of its text."""

    def __init__(self, answers: Mapping[str, Sequence[Any]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.rows: Sequence[Any] = ()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, query: str, values: Any = ()) -> None:
        self.asked.append((query, values))
        self.rows = next((rows for part, rows in self.answers.items() if part in query), ())
        if isinstance(self.rows, Exception):
            raise self.rows

    def fetchone(self) -> Any:
        return self.rows[0]

    def fetchall(self) -> Sequence[Any]:
        return self.rows


class Connection:
    """A connection of psycopg2 with one cursor."""

    def __init__(self, cursor: Cursor) -> None:
        self.of = cursor
        self.closed = 0
        self.rolled_back = 0

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None: ...

    def cursor(self) -> Cursor:
        return self.of

    def rollback(self) -> None:
        self.rolled_back += 1

    def close(self) -> None:
        self.closed += 1
