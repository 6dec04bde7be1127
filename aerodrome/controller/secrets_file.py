"""secrets.yaml: the secrets that Aerodrome has made or adopted."""

from __future__ import annotations

import fcntl
import glob
import os
import shlex
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import yaml

from aerodrome.controller.files import read_text
from aerodrome.errors import InvalidInput
from aerodrome.secrets import Secret

LEFT_OVER = 60  # seconds; a younger temporary file may be another run's, where the file system knows no locks
ADOPTED = "adopted_fernet_keys"  # their name in secrets.yaml

_SECRETS_HEADER = """\
# The secrets of this fleet that hosts.yaml does not give, made by Aerodrome. Keep this file out of version
# control, and back it up: without its Fernet keys nobody can read the connections that Airflow has stored.
"""


class SecretsFile:
    """secrets.yaml: name → secret, for the owner's eyes only; made when the first secret is kept."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))  # a link stays a link

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None; InvalidInput when others can read the file."""
        return self._all().get(name)

    def put(self, name: str, value: Secret) -> None:
        """Keep `value` under `name`, in place of what was there."""
        with self._alone():
            self._write({**self._all(), name: value})

    def get_or_keep(self, name: str, make: Callable[[], Secret]) -> Secret:
        """Return the secret kept under `name`, else make and keep it: once, also when two runs ask."""
        with self._alone():
            kept = self._all()
            if name not in kept:
                kept[name] = make()
                self._write(kept)
            return kept[name]

    def join(self, name: str, values: Iterable[str]) -> None:
        """Add `values` to those kept under `name`, with commas between: none is lost, also when two runs add some."""
        with self._alone():
            kept = self._all()
            before = kept[name].reveal().split(",") if name in kept else []
            self._write({**kept, name: Secret(",".join(dict.fromkeys([*before, *values])))})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock on the folder: one on the file would be lost when the file is replaced."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be used: {error.strerror}") from None
        try:
            with suppress(OSError):  # NFS knows no lock on a folder; the file still arrives whole
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _all(self) -> dict[str, Secret]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be read: {error.strerror}") from None
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{self.path}: not a file; the fleet's secrets go there", "move it away")
        if mode & 0o077:
            raise InvalidInput(
                f"{self.path}: others can read or write it (mode {mode:04o})",
                f"chmod 600 {shlex.quote(str(self.path))}; change its secrets if others may have seen them",
            )
        try:
            # libyaml, where PyYAML has it, takes a tenth of the time.
            kept = yaml.load(read_text(self.path, ""), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # its words may quote a secret
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise InvalidInput(f"{self.path}{line}: not YAML", "restore your backup") from None
        if not isinstance(kept, dict):
            raise InvalidInput(f"{self.path}: not lines of a name and its text", "restore your backup")
        for name, text in kept.items():
            if not isinstance(text, str) or not text:
                raise InvalidInput(f"{self.path}: {name}: not text; put it in quotes")
        return {str(name): Secret(text) for name, text in kept.items()}

    def _write(self, secrets: Mapping[str, Secret]) -> None:
        plain = {name: secret.reveal() for name, secret in secrets.items()}
        text = _SECRETS_HEADER + yaml.safe_dump(plain, allow_unicode=True, width=1000)
        try:
            self._clean()
            descriptor, beside = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # 0600
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(beside, self.path)
            except BaseException:
                os.unlink(beside)
                raise
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be written: {error.strerror}") from None

    def _clean(self) -> None:
        """Remove what a run that was killed while it wrote has left; it holds every secret."""
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.????????"):
            if left.is_file() and time.time() - left.stat().st_mtime > LEFT_OVER:
                left.unlink(missing_ok=True)


def secrets_path(hosts: Path) -> Path:
    """Return the secrets file of a hosts file: two fleets in one folder must not share passwords."""
    return hosts.with_name("secrets.yaml" if hosts.name == "hosts.yaml" else f"{hosts.stem}.secrets.yaml")
