"""The hosts.yaml and the Aerodrome that a run uses."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from aerodrome.controller import origin


def test_the_digest_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts.yaml"
    file.write_bytes(b"hosts: {}\r\n")
    assert origin.digest_of(str(file)) == f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    assert origin.digest_of(str(tmp_path)) == "unreadable: Is a directory"


def test_the_version_changes_with_the_code_and_only_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("aerodrome", "templates"):
        shutil.copytree(origin.AERODROME / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(origin.AERODROME / "pyproject.toml", tmp_path)
    monkeypatch.setattr(origin, "AERODROME", tmp_path)
    first = origin.version()
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", first)
    (tmp_path / "aerodrome" / "notes").write_text("not code")
    assert origin.version() == first
    (tmp_path / "aerodrome" / "errors.py").write_text("# of my own")
    second = origin.version()
    (tmp_path / "aerodrome" / "errors.py").rename(tmp_path / "aerodrome" / "mistakes.py")
    assert len({first, second, origin.version()}) == 3
