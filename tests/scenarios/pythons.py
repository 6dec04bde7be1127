"""Older Pythons of this machine, bound into hosts: Debian 12 and 13 have none that Airflow 1.10 runs on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ASK = "import sys; print(sys.base_prefix, '%d.%d' % sys.version_info[:2])"


def prefix(version: str) -> Path:
    """Return the prefix of a Python on this machine, such as 3.7; skip the test if it has none.

    It has to be a separate folder, as with pyenv, because it is bound into hosts.
    """
    for python in _pythons(version):
        told = subprocess.run([python, "-I", "-S", "-c", ASK], capture_output=True, text=True).stdout.split()
        if told[1:] == [version] and told[0] not in ("/usr", "/usr/local"):
            return Path(told[0])
    pytest.skip(f"this machine has no Python {version} in a folder of its own (pyenv install {version})")


def _pythons(version: str) -> Iterator[str]:
    """Yield candidates for that Python: pyenv's, newest first, and the one in PATH."""
    found = _pyenv().glob(f"versions/{version}.*/bin/python{version}")
    yield from map(str, sorted(found, key=lambda path: int(path.parts[-3].rpartition(".")[2]), reverse=True))
    if python := shutil.which(f"python{version}"):
        yield python


def _pyenv() -> Path:
    """Return pyenv's folder, even if its program is not in PATH."""
    if pyenv := shutil.which("pyenv"):
        return Path(subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True).stdout.strip())
    return Path.home() / ".pyenv"
