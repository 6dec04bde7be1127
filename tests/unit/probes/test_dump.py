"""The program that dumps a database managed elsewhere: facts first, then pg_dump's output, of one snapshot."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from probes import dump

HEADS, TABLES = ["alembic_version", "alembic_version_fab"], ["dag", "log"]
ROWS: dict[str, list[Any]] = {
    "SELECT split_part": [("15.20", 30_000_000)],
    "SELECT pg_export_snapshot()": [("00000003-1",)],
    "SELECT version_num FROM public.alembic_version ": [("d2f4e1b3c5a7",), ('x"; rm -rf',)],
    "SELECT count(*) FROM public.dag": [(3,)],
}


class Cursor:
    """Answers from ROWS; the tables alembic_version and dag are there."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def execute(self, statement: str, values: tuple[str, ...] = ()) -> None:
        if "FROM pg_class" in statement:
            self.rows = [(1,)] if values[0] in ("alembic_version", "dag") else []
            return
        (self.rows,) = (rows for start, rows in ROWS.items() if statement.startswith(start))

    def fetchone(self) -> Any:
        return self.rows[0] if self.rows else None

    def __iter__(self) -> Any:
        return iter(self.rows)


class Connection:
    """A server of version 15, reached with a password."""

    server_version = 150020

    class info:
        password = "swordfish"

    def __init__(self) -> None:
        self.session: dict[str, object] = {}

    def set_session(self, **given: object) -> None:
        self.session = given

    def cursor(self) -> Cursor:
        return Cursor()

    def get_dsn_parameters(self) -> dict[str, str]:
        return {
            "host": "192.0.2.9",
            "port": "5432",
            "user": "airflow",
            "dbname": "it's",
            "sslmode": "prefer",
            "sslnegotiation": "postgres",
            "sslcert": "",
            "password": "swordfish",
        }


def install(folder: Path, says: str, does: str = "") -> None:
    program = folder / "pg_dump"
    program.write_text(
        f"#!/bin/sh\n[ \"$1\" != --version ] || {{ echo 'pg_dump (PostgreSQL) {says}'; exit; }}\n{does}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch) -> tuple[int, Connection]:
    connection = Connection()
    monkeypatch.setattr(dump, "connect", lambda variable, public: connection)
    with pytest.raises(SystemExit) as ended:
        dump.main("URL", [], HEADS, TABLES, "-c x=y", 512)
    return int(str(ended.value.code)), connection


def test_facts_fill_the_head_and_the_dump_follows(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    install(path, "15.20 (Debian 15.20-1)", 'printf "%s\\n" "$@" "$PGPASSWORD" "$PGOPTIONS"; exit 3')
    code, connection = run(monkeypatch)
    said = capfd.readouterr().out
    assert (code, connection.session) == (3, {"isolation_level": "REPEATABLE READ", "readonly": True})
    facts = "server|15.20\nsize|30000000\nalembic_version|d2f4e1b3c5a7\nalembic_version|xrm-rf\nrows|dag|3\n"
    assert said[:512] == facts.ljust(512)
    dsn = r"host='192.0.2.9' port='5432' user='airflow' dbname='it\'s' sslmode='prefer'"
    arguments = ["-Fc", "--snapshot", "00000003-1", "--lock-wait-timeout=300000", "-d", dsn]
    assert said[512:].splitlines() == [*arguments, "swordfish", "-c x=y"]


@pytest.mark.parametrize(
    "says, problem",
    [
        ("14.9 (Debian)", "pg_dump 14.9 (Debian) is older than the server, 15: install postgresql-client-15 (Debian)"),
        ("nonsense", "pg_dump nonsense is older than the server, 15: "),
    ],
)
def test_a_client_that_is_too_old_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], says: str, problem: str
) -> None:
    install(path, says)
    code, _ = run(monkeypatch)
    assert code == 1
    assert capfd.readouterr().out.startswith(f"error|ValueError: {problem}")


@pytest.mark.parametrize("says", ["15.0", "16beta1", "17.2 (Ubuntu 17.2-1.pgdg24.04+1)", "18.0"])
def test_one_that_is_not_older_will_do(path: Path, says: str) -> None:
    install(path, says)
    assert dump.client(150020) == str(path / "pg_dump")
