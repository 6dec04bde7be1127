"""The ids of Airflow 1.10's tables of users get their defaults."""

from __future__ import annotations

from typing import Any

import pytest

from probes import repair
from tests.unit.probes.database import Connection, Cursor


class Committing(Connection):
    committed = 0

    def commit(self) -> None:
        self.committed += 1


def repaired(monkeypatch: pytest.MonkeyPatch, rows: Any) -> tuple[list[tuple[str, Any]], int]:
    connection = Committing(Cursor({"information_schema.columns": rows}))
    monkeypatch.setattr(repair, "found_connection", lambda variable: True)
    monkeypatch.setattr(repair, "connect", lambda *given: connection)
    repair.main("@note: ", "VARIABLE", ["airflow"])
    return connection.of.asked[1:], connection.committed


def test_each_table_without_a_default_gets_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, committed = repaired(monkeypatch, [("ab_permission",), ('ab_"x',)])
    assert asked == [
        ('ALTER TABLE "ab_permission" ALTER COLUMN id SET DEFAULT nextval(%s)', ('"ab_permission_id_seq"',)),
        ('ALTER SEQUENCE "ab_permission_id_seq" OWNED BY "ab_permission".id', ()),
        ('ALTER TABLE "ab_""x" ALTER COLUMN id SET DEFAULT nextval(%s)', ('"ab_""x_id_seq"',)),
        ('ALTER SEQUENCE "ab_""x_id_seq" OWNED BY "ab_""x".id', ()),
    ]
    assert committed == 1
    assert capsys.readouterr().out == (
        '@note: repaired: ids of ab_permission, ab_"x had no default, which Airflow 2 needs\n'
    )


def test_nothing_is_said_if_there_is_nothing_to_repair(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert repaired(monkeypatch, [])[0] == []
    assert capsys.readouterr().out == ""


def test_an_error_is_one_line_and_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        repaired(monkeypatch, RuntimeError("no\nway"))
    assert caught.value.code == 1
    assert capsys.readouterr().out.count("\n") == 1
