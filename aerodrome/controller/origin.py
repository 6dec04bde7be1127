"""Which hosts.yaml and which Aerodrome a run was made with, as its record tells."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

AERODROME = Path(__file__).resolve().parents[2]
CODE = ("aerodrome", "probes", "tasks", "templates")  # what decides what is done


def digest_of(path: str) -> str:
    """Return the digest of a file's bytes, or why there is none."""
    try:
        return f"sha256:{sha256(Path(path).read_bytes()).hexdigest()}"
    except OSError as error:
        return f"unreadable: {error.strerror}"


@cache
def version() -> str:
    """Return the version of this Aerodrome: its number, and a digest of its files.

    A checkout may be of any commit and have changes of its own, and need not have git: only its files say what it is.
    """
    files = sorted(path for name in CODE for path in (AERODROME / name).rglob("*") if _counts(path))
    whole = sha256()
    for path in files:
        content = path.read_bytes()
        whole.update(f"{path.relative_to(AERODROME)} {len(content)}\n".encode() + content)
    return f"{_number()}+{whole.hexdigest()[:12]}"


def _counts(path: Path) -> bool:
    return path.suffix in (".py", ".j2") and path.is_file()


def _number() -> str:
    from tomllib import loads

    return str(loads((AERODROME / "pyproject.toml").read_text())["project"]["version"])
