"""The performer of a run."""

from __future__ import annotations

import os

import pytest

from aerodrome.controller import performer


def test_who_performs_a_run_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AERODROME_PERFORMER", "Ann\n\x1b[2J of CI" + "x" * 300)
    assert performer.performer() == ("Ann??[2J of CI" + "x" * 300)[:200]
    monkeypatch.delenv("AERODROME_PERFORMER")
    monkeypatch.setattr(performer.getpass, "getuser", lambda: "ann")
    assert performer.performer() == f"ann@{os.uname().nodename}"

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(performer.getpass, "getuser", nameless)
    assert performer.performer() == f"uid {os.getuid()}@{os.uname().nodename}"
