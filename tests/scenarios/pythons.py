"""The older Pythons of this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path


def prefix(version: str) -> Path:
    """Return the prefix of a Python of this machine (stand-in)."""
    root = Path(subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip())
    return sorted((root / "versions").glob(f"{version}.*"))[-1]
