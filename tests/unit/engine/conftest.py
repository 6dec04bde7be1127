"""The fixture `world`."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core import entries, plan
from aerodrome.remote.shell import execs
from tests.unit.engine.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(plan, "LOCK", "")  # all hosts are this machine: they would wait for each other
    monkeypatch.setattr(entries, "ROOT", f"{tmp_path}/undo-$$")
    execs.clear()
    return World(tmp_path)
