"""Which hosts.yaml and which Aerodrome a run used, for its record."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

AERODROME = Path(__file__).resolve().parents[2]
CODE = ("aerodrome", "probes", "tasks", "templates")  # the files that determine what a run does


def digest_of(path: str) -> str:
    """Return the digest of a file's content, or why it has none."""
    try:
        return f"sha256:{sha256(Path(path).read_bytes()).hexdigest()}"
    except OSError as error:
        return f"unreadable: {error.strerror}"


def version() -> str:
    """Return the version of this Aerodrome: its number, and a digest of its files.

    A checkout may be at any commit with local changes, and git may not be installed, so only the files identify it.
    """
    import tomllib  # only runs that change something come here

    whole = sha256()
    for name in CODE:
        for folder, folders, files in os.walk(AERODROME / name):
            folders.sort()
            for file in sorted(files):
                if file.endswith((".py", ".in")):
                    path = os.path.join(folder, file)
                    content = Path(path).read_bytes()
                    whole.update(f"{os.path.relpath(path, AERODROME)} {len(content)}\n".encode() + content)
    number = tomllib.loads((AERODROME / "pyproject.toml").read_text())["project"]["version"]
    return f"{number}+{whole.hexdigest()[:12]}"
