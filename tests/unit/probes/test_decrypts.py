"""What is encrypted in a copy of the metadata database can be read, or is named."""

from __future__ import annotations

from typing import Any

import pytest

from probes import decrypts
from tests.unit.probes.database import Connection, Cursor

VARIABLE, KEYS = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__FERNET_KEY"


class Rows(Cursor):
    def __iter__(self) -> Any:
        return iter(self.rows)


class Fernet:
    def decrypt(self, token: bytes) -> bytes:
        if not token.startswith(b"good"):
            raise ValueError("invalid token")
        return token


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], **answers: Any) -> str:
    rows = {"to_regclass": [("there",)], **{f"FROM public.{table} ": found for table, found in answers.items()}}
    connected: list[tuple[object, ...]] = []

    def connect(*given: object) -> Connection:
        connected.append(given)
        return Connection(Rows(rows))

    monkeypatch.setattr(decrypts, "connect", connect)
    monkeypatch.setattr(decrypts, "fernet", lambda keys: Fernet())
    decrypts.main(VARIABLE, ["airflow"], "scratch", KEYS, 2, 60)
    assert connected == [(VARIABLE, ["airflow"], "scratch")]
    return capsys.readouterr().out


def test_all_can_be_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(monkeypatch, capsys, connection=[("pg", "good1")], variable=[("x", "good2")])
    assert found == "ok 3\n"  # a connection's password and extra


def test_what_cannot_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(
        monkeypatch, capsys, connection=[], variable=[("a\nb", "bad"), ("c", "bad"), ("d", "bad"), ("e", "good")]
    )
    assert found == '3 of 4 encrypted values cannot be read: variable "a\\nb" (val), variable "c" (val), ...\n'


def test_a_database_that_was_never_migrated_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    number, failed = decrypts.decrypt(Rows({"to_regclass": [(None,)]}), Fernet())
    assert (number, failed) == (0, [])


def test_an_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def connect(*_: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr(decrypts, "connect", connect)
    decrypts.main(VARIABLE, [], "scratch", KEYS, 2, 60)
    assert capsys.readouterr().out == "OSError: no route\n"


def test_keys_of_a_variable_or_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    cryptography = pytest.importorskip("cryptography.fernet")
    old, new = cryptography.Fernet.generate_key(), cryptography.Fernet.generate_key()
    token = cryptography.Fernet(old).encrypt(b"secret")
    monkeypatch.setenv(KEYS, f"{new.decode()},{old.decode()}")
    assert decrypts.fernet(KEYS).decrypt(token) == b"secret"
    monkeypatch.delenv(KEYS)
    monkeypatch.setenv(f"{KEYS}_CMD", f"printf {old.decode()}")
    assert decrypts.fernet(KEYS).decrypt(token) == b"secret"
