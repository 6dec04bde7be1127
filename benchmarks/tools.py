"""Other tools, each in its own virtual environment, pinned in benchmarks/requirements.txt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Failed

BENCHMARKS = Path(__file__).resolve().parent
ENVIRONMENTS = BENCHMARKS / ".venvs"
PINS = BENCHMARKS / "requirements.txt"
UV = Path(sys.executable).with_name("uv")
PACKAGES = {
    "ansible": ("ansible", "mitogen"),
    "pyinfra": ("pyinfra",),
    "picture": ("matplotlib",),
    "simulated": ("asyncssh",),
}


def tool(name: str) -> Path:
    """Return a tool's environment; it is created if it is missing or older than the pins."""
    place = ENVIRONMENTS / name
    done = place / "installed"
    if not done.exists() or done.stat().st_mtime < PINS.stat().st_mtime:
        _run("venv", "-q", "--clear", "--python", sys.executable, str(place))
        # Byte-compiled, as pip does: otherwise the first run of a tool, or every run, would compile it.
        compiled = ("--compile-bytecode", "--python", f"{place}/bin/python")
        _run("pip", "install", "-q", *compiled, "-c", str(PINS), *PACKAGES[name])
        done.touch()
    return place


def _run(*arguments: str) -> None:
    done = subprocess.run([str(UV), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"uv {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
