"""Fernet keys that exist on a host but are unknown to the fleet."""

from __future__ import annotations

import re

from aerodrome.core.check import Finding
from aerodrome.core.resource import as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import LIMIT, MARK
from aerodrome.secrets import FERNET_KEY, Secret


@dataclass(frozen=True)
class KeysFound(Finding):
    """A host has Fernet keys that are unknown to the fleet; the run should adopt them."""

    keys: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class FoundKeys:
    """A host that was set up by hand has only Fernet keys that the fleet knows.

    If its environment file sets no key, Airflow uses the one that it generated in airflow.cfg. That file is read as
    `user`, the user that runs Airflow.
    """

    environment_file: str
    config_file: str
    variable: str
    known: Secret  # the fleet's keys, comma-separated
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

    def judge(self, answer: str) -> list[KeysFound]:
        found = [key.strip() for line in answer.splitlines() for key in line.strip().strip("\"'").split(",")]
        known = self.known.reveal().split(",")
        foreign = dict.fromkeys(key for key in found if re.fullmatch(FERNET_KEY, key) and key not in known)
        if not foreign:
            return []
        why = "the host has its own Fernet keys, which the fleet does not know"
        return [KeysFound(self.key, "refused", why, keys=tuple(Secret(key) for key in foreign))]
