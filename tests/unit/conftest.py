"""Shared by unit tests: no network, and the shells in which scripts have to run."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.unit.make import Shell


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow connections only to Unix sockets."""
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self: socket.socket, address: Any, real: Any = real) -> Any:
            if self.family != socket.AF_UNIX:
                raise RuntimeError(f"a unit test tried to reach {address}")
            return real(self, address)

        monkeypatch.setattr(socket.socket, name, guarded)

    def look_up(*arguments: Any, **_: Any) -> NoReturn:
        raise RuntimeError(f"a unit test tried to look up {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture(params=["dash", "bash"])
def sh(request: pytest.FixtureRequest, tmp_path: Path) -> Shell:
    """Run a script in each shell that may be a host's /bin/sh, with `payload` on descriptor 3.

    `programs` are stand-ins for commands, by name, which precede the real ones in PATH.
    """

    def run(script: str, payload: bytes = b"", programs: dict[str, str] | None = None) -> Any:
        programs_folder = tmp_path / "programs"
        programs_folder.mkdir(exist_ok=True)
        for name, text in (programs or {}).items():
            (programs_folder / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs_folder / name).chmod(0o755)
        (programs_folder / "payload").write_bytes(payload)
        return subprocess.run(
            [request.param, "-c", f"exec 3<{programs_folder}/payload\n".encode() + os.fsencode(script)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, "PATH": f"{programs_folder}:{os.environ['PATH']}"},
            timeout=30,
        )

    return run
