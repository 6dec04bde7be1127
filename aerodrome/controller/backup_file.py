"""A copy of a backup on this machine: a directory with its dump and its manifest, there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from io import BufferedWriter
from pathlib import Path

from aerodrome.errors import AerodromeError, InvalidInput
from aerodrome.resources.backup import DUMP, LONGEST_MANIFEST, MANIFEST


class BackupFile:
    """Receives a backup as a host sends it: the manifest on one line, then the dump.

    `size` is the dump's, in bytes; `sha256` is its digest. No more than that is written, whatever the host sends. Use
    it as a context: what is not whole at its end is removed.

    Raises InvalidInput if the directory cannot be written, or is too full.
    """

    def __init__(self, folder: Path, name: str, size: int, sha256: str) -> None:
        self.path = folder / name
        self._part = folder / f".{name}.part"
        self._sha256 = sha256
        self._manifest, self._left, self._digest = b"", size, hashlib.sha256()
        self._in_dump = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < size + LONGEST_MANIFEST:
                raise InvalidInput(f"not enough space for a backup of {size / 1e6:.1f} MB in {folder}")
            if self.path.exists():
                raise InvalidInput(f"{self.path} is already there", "remove it, or choose another directory")
            shutil.rmtree(self._part, ignore_errors=True)
            self._part.mkdir(mode=0o700)
            self._dump = self._create(DUMP)
        except OSError as error:
            raise InvalidInput(f"{folder}: a backup cannot be written there: {error.strerror}") from None

    def _create(self, name: str) -> BufferedWriter:
        return open(os.open(self._part / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def __enter__(self) -> BackupFile:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._dump.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def take(self, text: str) -> bool:
        """Write a part of what the host sends; return True once there is nothing more to write.

        The text is bytes decoded with surrogateescape, which loses none of them.
        """
        data = text.encode("utf-8", "surrogateescape")
        if not self._in_dump:
            self._manifest += data
            line, newline, data = self._manifest.partition(b"\n")
            if not newline:
                return len(line) > LONGEST_MANIFEST
            self._manifest, self._in_dump = line, True
        data = data[: self._left]
        try:
            self._dump.write(data)
        except OSError as error:
            raise InvalidInput(f"{self._part}: the backup cannot be written: {error.strerror}") from None
        self._digest.update(data)
        self._left -= len(data)
        return not self._left

    def finish(self) -> None:
        """Put the copy in its place; AerodromeError if it is not what the manifest says."""
        if self._left or self._digest.hexdigest() != self._sha256:
            why = f"{self._left} bytes are missing" if self._left else "its SHA-256 is another one"
            raise AerodromeError(f"what arrived is not backup {self.path.name}: {why}", "run the same command again")
        try:
            self._dump.flush()
            os.fsync(self._dump.fileno())
            with self._create(MANIFEST) as file:
                file.write(self._manifest + b"\n")
            self._part.rename(self.path)
        except OSError as error:
            raise InvalidInput(f"{self.path}: the backup cannot be written: {error.strerror}") from None
