"""The operator's known_hosts file, from ssh.known_hosts."""

from __future__ import annotations

import os
from pathlib import Path

from aerodrome.controller.files import read_text


class KnownHosts:
    """A known_hosts file, which may not exist yet."""

    def __init__(self, path: str) -> None:
        self._path = Path(os.path.expanduser(path))

    def read(self) -> str:
        """Return its text; raises InvalidInput if it exists and cannot be read."""
        if not os.path.lexists(self._path):
            return ""
        return read_text(self._path, "ssh.known_hosts: ", "check ssh.known_hosts in hosts.yaml")

    def add(self, line: str) -> None:
        """Append a line, and create the file if needed."""
        os.makedirs(self._path.parent, mode=0o700, exist_ok=True)
        with self._path.open("a+", encoding="utf-8") as file:
            file.seek(0)
            text = file.read()
            start = "\n" if text and not text.endswith("\n") else ""
            file.write(f"{start}{line}\n")
