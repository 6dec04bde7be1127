"""The real fab, as a process, with the test's own hosts.yaml; no host is ever reached."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FAB = Path(sys.executable).with_name("fab")

# Nothing listens on port 1 of this machine. Only a single host may have a loopback address.
ONE = """\
ssh: {known_hosts: known_hosts, connect_timeout: 5}
hosts:
  one: {address: 127.0.0.1, port: 1}
roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}
"""


@dataclass
class Done:
    """The outcome of a run of fab."""

    code: int
    out: str
    err: str


Fab = Callable[..., Done]


@pytest.fixture
def hosts(tmp_path: Path) -> Path:
    path = tmp_path / "hosts.yaml"
    path.write_text(ONE)
    return path


@pytest.fixture
def fab(hosts: Path) -> Fab:
    """Run fab in the project's folder, without a terminal, and assert that it shows no traceback."""

    def run(*arguments: str, **environment: str) -> Done:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AERODROME_", "FABRIC_"))}
        done = subprocess.run(
            [FAB, *arguments],
            cwd=PROJECT,
            env={**kept, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run
