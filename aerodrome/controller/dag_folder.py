"""The local DAG folder: its contents, packed for sending."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from aerodrome.dataclass import dataclass
from aerodrome.errors import InvalidInput
from aerodrome.resources.release import KEEP
from aerodrome.resources.tree import Tree

# Left behind by Python, editors and version control; no DAG needs it.
LEFT_OUT = {"__pycache__", ".git", ".svn", ".hg", ".idea", ".vscode", ".DS_Store", ".mypy_cache", ".pytest_cache"}


@dataclass(frozen=True)
class _Entry:
    """A file or link in the folder; the archive gets no other metadata."""

    path: Path
    name: str  # relative to the folder
    mode: int
    target: str = ""  # of a link, relative to its own directory

    def content(self) -> bytes:
        """Return the file's content; if a link has replaced it since, do not follow it."""
        with open(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as opened:
            return opened.read()


def dag_tree(folder: str, path: str, user: str, keep: int = KEEP) -> Tree:
    """Return the DAG folder as the resource `path`, which `user` can read; `keep` releases of it stay on a host.

    Raises InvalidInput if the folder does not exist, cannot be read, or holds anything that must not or cannot be sent:
    links that lead out of it, sockets, pipes and devices.
    """
    base = Path(folder)
    if not base.is_dir():
        raise InvalidInput(f"deploy.dags: there is no directory {folder}", "create it, or remove the key")
    digest = hashlib.sha256()
    try:
        entries = _entries(base)
        for entry in entries:
            content = b"" if entry.target else entry.content()
            head = f"{entry.name}\0{entry.mode:o}\0{entry.target}\0{len(content)}\0"
            digest.update(head.encode("utf-8", "surrogateescape") + content)
    except OSError as error:
        raise InvalidInput(f"deploy.dags: {error.filename}: {error.strerror}") from None
    return Tree(path, digest.hexdigest()[:16], len(entries), _Archive(entries), user, keep)


def _entries(base: Path) -> list[_Entry]:
    real, entries, problems = Path(os.path.realpath(base)), [], []
    for path in sorted(_walk(base)):
        name, mode = str(path.relative_to(base)), path.lstat().st_mode
        if stat.S_ISLNK(mode):
            target = Path(os.path.realpath(path))
            if target.is_relative_to(real):
                # Relative to the real folder, however the link was written: the folder's path differs on the node.
                there = os.path.relpath(target, (real / name).parent)
                entries.append(_Entry(path, name, 0o777, there))
            else:
                problems.append(f"deploy.dags: the link {path} leads out of the folder, to {target}")
        elif stat.S_ISREG(mode):
            entries.append(_Entry(path, name, 0o755 if mode & 0o100 else 0o644))
        else:
            problems.append(f"deploy.dags: {path} is not a file, directory or link")
    if problems:
        raise InvalidInput(problems, "copy what the DAGs need into the folder, and remove the rest")
    return entries


def _walk(base: Path) -> Iterator[Path]:
    """Yield the files and links to send; links to directories are not followed."""

    def refuse(error: OSError) -> NoReturn:
        raise error

    for folder, folders, files in os.walk(base, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in (*links, *files):
            if name not in LEFT_OUT and not name.endswith(".pyc"):
                yield Path(folder, name)


class _Archive:
    """The packed files. They are packed once, when the first host needs them; hosts are planned in threads."""

    def __init__(self, entries: list[_Entry]) -> None:
        self._entries = entries
        self._lock = threading.Lock()
        self._packed = b""

    def __call__(self) -> bytes:
        with self._lock:
            if not self._packed:
                self._packed = _pack(self._entries)
            return self._packed


def _pack(entries: list[_Entry]) -> bytes:
    buffer = io.BytesIO()
    # Level 1: a LAN is faster than better compression.
    import tarfile

    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for entry in entries:
            packed = tarfile.TarInfo(entry.name)
            packed.mode, packed.mtime = entry.mode, int(entry.path.lstat().st_mtime)
            if entry.target:
                packed.type, packed.linkname = tarfile.SYMTYPE, entry.target
                archive.addfile(packed)
                continue
            content = entry.content()
            packed.size = len(content)
            archive.addfile(packed, io.BytesIO(content))
    return buffer.getvalue()
