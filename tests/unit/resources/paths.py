"""Files of the user who runs the tests."""

from __future__ import annotations

from pathlib import Path

from aerodrome.resources.files import (
    File,
)
from tests.unit.make import ME, MY_GROUP


def mine(path: Path, content: str, mode: int = 0o644) -> File:
    return File(str(path), content, ME, MY_GROUP, mode)
