"""Programs of others, each in a virtual environment of its own, as benchmarks/requirements.txt pins them."""

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
    """Return the environment of a program; it is made where it is not there, or older than the pins."""
    place = ENVIRONMENTS / name
    done = place / "installed"
    if not done.exists() or done.stat().st_mtime < PINS.stat().st_mtime:
        _run("venv", "-q", "--clear", "--python", sys.executable, str(place))
        # Compiled, as pip does it: else the first run of a program would do that, or every one.
        compiled = ("--compile-bytecode", "--python", f"{place}/bin/python")
        _run("pip", "install", "-q", *compiled, "-c", str(PINS), *PACKAGES[name])
        done.touch()
    return place


def _run(*arguments: str) -> None:
    done = subprocess.run([str(UV), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"uv {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
