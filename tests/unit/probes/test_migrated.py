"""The state of the metadata database."""

from __future__ import annotations

from pathlib import Path

from probes.migrated import heads, revisions
from tests.unit.probes.database import Cursor


def test_heads_are_what_nothing_follows(tmp_path: Path) -> None:
    (tmp_path / "1.py").write_text("revision = 'a'\ndown_revision = None\n")
    (tmp_path / "2.py").write_text('revision: str = "b"\ndown_revision: str = "a"\n')
    (tmp_path / "3.py").write_text("revision = 'c'\ndown_revision = 'a'\n")
    assert heads(str(tmp_path)) == {"b", "c"}
    (tmp_path / "4.py").write_text("revision = 'd'\ndown_revision = ('b', 'c')\n")
    (tmp_path / "README").write_text("revision = 'x'\n")
    assert heads(str(tmp_path)) == {"d"}
    assert heads(str(tmp_path / "none")) == set()


def test_revisions() -> None:
    assert revisions(Cursor({"to_regclass": [(None,)]})) == set()
    assert revisions(Cursor({"to_regclass": [("t",)], "version_num": [("a",), ("b",)]})) == {"a", "b"}
