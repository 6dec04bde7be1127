"""A folder with a hosts.yaml, and a person at a terminal."""

from __future__ import annotations

import getpass
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from aerodrome.fleet.model import Fleet
from aerodrome.secrets import Reference
from tests.unit.make import load

WHERE = "hosts.yaml:7: database.password"
HOSTS = """\
roles: {database: [db1], scheduler: [s1], webserver: [s1], worker: [w1]}
hosts:
  db1: {address: 10.0.0.1, key: ~/.ssh/db1}
  s1: {address: !env S1}
  w1: {address: 10.0.0.3, key: keys/w1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in its own folder, with another home and without a terminal."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("S1", "10.0.0.2")
    monkeypatch.delenv("AERODROME_HOSTS", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    return tmp_path


def reference(kind: Literal["env", "file", "command", "prompt"], argument: str, folder: Path | str = "") -> Reference:
    return Reference(kind, argument, WHERE, str(folder))


def fleet(folder: Path, more: str = "") -> Fleet:
    (folder / "hosts.yaml").write_text(HOSTS + more)
    return load()


class Terminal:
    """A stand-in for a person at a terminal who gives these answers in turn."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def isatty(self) -> bool:
        return True

    def getpass(self, question: str) -> str:
        self.asked.append(question)
        if not self.answers:
            raise EOFError
        return self.answers.pop(0)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    person = Terminal()
    monkeypatch.setattr(sys, "stdin", person)
    monkeypatch.setattr(getpass, "getpass", person.getpass)
    yield person
