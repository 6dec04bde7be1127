"""The peers' programs, each in a virtual environment of its own, as benchmarks/requirements.txt pins them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Failed

BENCHMARKS = Path(__file__).resolve().parent.parent
ENVIRONMENTS = BENCHMARKS / ".venvs"
PINS = BENCHMARKS / "requirements.txt"
UV = Path(sys.executable).with_name("uv")
PACKAGES = {"ansible": ("ansible", "mitogen"), "pyinfra": ("pyinfra",), "picture": ("matplotlib",)}


def tool(name: str) -> Path:
    """Return the environment of a peer; it is made where it is not there, or older than the pins."""
    place = ENVIRONMENTS / name
    done = place / "installed"
    if not done.exists() or done.stat().st_mtime < PINS.stat().st_mtime:
        _run("venv", "-q", "--clear", "--python", sys.executable, str(place))
        _run("pip", "install", "-q", "--python", f"{place}/bin/python", "-c", str(PINS), *PACKAGES[name])
        done.touch()
    return place


def _run(*arguments: str) -> None:
    done = subprocess.run([str(UV), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"uv {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
