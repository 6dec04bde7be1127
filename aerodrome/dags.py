"""The local DAG folder: what it holds, and packed to be sent."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from pathlib import Path

from aerodrome.errors import InvalidInput
from aerodrome.resources.tree import Tree

# What Python, editors and version control leave behind, and no DAG needs.
LEFT_OUT = {"__pycache__", ".git", ".svn", ".hg", ".idea", ".vscode", ".DS_Store", ".mypy_cache", ".pytest_cache"}


def dag_tree(folder: str, path: str, user: str) -> Tree:
    """Return the DAG folder as the resource `path`, owned by `user`.

    Raises InvalidInput where the folder is not there or cannot be read.
    """
    base = Path(folder)
    if not base.is_dir():
        raise InvalidInput(f"deploy.dags: there is no folder {folder}", "make it, or leave the key out")
    files = sorted(file for file in base.rglob("*") if file.is_file() and _wanted(file.relative_to(base)))
    digest = hashlib.sha256()
    try:
        for file in files:
            content = file.read_bytes()
            digest.update(
                f"{file.relative_to(base)}\0{_mode(file)}\0{len(content)}\0".encode("utf-8", "surrogateescape")
            )
            digest.update(content)
    except OSError as error:
        raise InvalidInput(f"deploy.dags: {error.filename}: {error.strerror}") from None
    return Tree(path, digest.hexdigest()[:16], len(files), _Archive(base, files), user)


class _Archive:
    """The files packed, when the first host needs them and once for all hosts, which are planned in threads."""

    def __init__(self, base: Path, files: list[Path]) -> None:
        self._base, self._files = base, files
        self._lock = threading.Lock()
        self._packed = b""

    def __call__(self) -> bytes:
        with self._lock:
            if not self._packed:
                self._packed = _pack(self._base, self._files)
            return self._packed


def _wanted(file: Path) -> bool:
    return not LEFT_OUT & set(file.parts) and file.suffix != ".pyc"


def _mode(file: Path) -> int:
    return 0o755 if file.stat().st_mode & 0o100 else 0o644


def _pack(base: Path, files: list[Path]) -> bytes:
    buffer = io.BytesIO()
    # Level 1: a LAN is faster than a better compression.
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for file in files:
            entry = tarfile.TarInfo(str(file.relative_to(base)))
            content = file.read_bytes()
            entry.size, entry.mode, entry.mtime = len(content), _mode(file), int(file.stat().st_mtime)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
