"""What somebody set up by hand after the guide: adopted, or put aside, but never lost."""

from __future__ import annotations

import re

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import LIMIT, MARK, Found, probe_path
from aerodrome.secrets import FERNET_KEY, Secret


class KeysFound(AerodromeError):
    """Say that a host has Fernet keys that the fleet does not know; `keys` are to be adopted."""

    def __init__(self, keys: list[Secret]) -> None:
        super().__init__("the host has Fernet keys of its own, which the fleet does not have")
        self.keys = keys


@dataclass(frozen=True)
class FoundKeys:
    """No Fernet key on a host that was set up by hand but those that the fleet has.

    Without the key in its environment file, Airflow has taken the one that it wrote into airflow.cfg: `user`, whom
    Airflow runs as, reads that file.
    """

    environment_file: str
    config_file: str
    variable: str
    known: Secret  # the fleet's keys, with commas between
    user: str

    @property
    def key(self) -> str:
        return f"fernet keys {self.environment_file}"

    def probe(self) -> str:
        environment = quote(self.environment_file)
        config = as_user(self.user, f"timeout 10 head -c {LIMIT} {quote(self.config_file)}")
        return (
            f"marked=; [ ! -f {environment} ] || while read -r line; do case $line in\n"
            f"*{quote(MARK)}*) marked=1; break ;; esac; done <{environment}\n"
            '[ -n "$marked" ] || { '
            f"head -c {LIMIT} {environment} | sed -n 's/^[[:space:]]*{self.variable}[[:space:]]*=//p'; "
            f"{config} | sed -n 's/^[[:space:]]*fernet_key[[:space:]]*=//p'; }}"
        )

    def changes(self, seen: Seen) -> list[Change]:
        """Return nothing, as nothing is changed here.

        Raises KeysFound where a key is not known.
        """
        found = [key.strip() for line in seen.text.splitlines() for key in line.strip().strip("\"'").split(",")]
        known = self.known.reveal().split(",")
        foreign = dict.fromkeys(key for key in found if re.fullmatch(FERNET_KEY, key) and key not in known)
        if foreign:
            raise KeysFound([Secret(key) for key in foreign])
        return []


@dataclass(frozen=True)
class Superseded:
    """No drop-in of the guide's that says nothing but the lines of one of `texts`, which our own drop-in replaces."""

    path: str
    texts: tuple[tuple[str, ...], ...]

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = [line.strip() for line in Found.parse(seen.text, self.path).content.splitlines()]
        lines = tuple(line for line in found if line and not line.startswith(("#", ";")))
        if lines not in self.texts:
            return []
        diff = "\n".join(f"-{line}" for line in lines)
        script = f"rm -f {quote(self.path)}\nsystemctl daemon-reload"
        return [Change(f"remove {self.path}, which ours replaces", script, diff)]
