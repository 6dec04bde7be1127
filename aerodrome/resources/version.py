"""Airflow's version on a host: what changes it under running tasks is refused, or done with everything stopped."""

from __future__ import annotations

import re

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

# What the program says of the metadata database: never migrated, at the version that is installed here, at another
# version, or not known on this host.
EMPTY, HERE, ELSEWHERE, UNKNOWN = "empty", "here", "elsewhere", "unknown"


@dataclass(frozen=True)
class Installation:
    """Where a host may have an Airflow, and which one it is to have; the first of `places` that is there is in use."""

    places: tuple[str, ...]  # paths of virtual environments
    wanted: str  # X.Y.Z, also where the version is X.Y.Z.* or X.Y.Z+local

    def find(self) -> str:
        """Return sh that sets `$venv` to the environment in use; without a process, as all here."""
        places = " ".join(quote(place) for place in self.places)
        return f'for venv in {places}; do [ ! -e "$venv/bin/python" ] || break; done'

    def look(self, then: str = ":") -> str:
        """Return sh that prints `found VERSION` where another version than the wanted one is in use; then does more."""
        return (
            f"found=; {self.find()}\n"
            'for place in "$venv"/lib/python3*/site-packages/apache_airflow-*.dist-info; do\n'
            '[ ! -d "$place" ] || { found=${place##*/apache_airflow-}; found=${found%.dist-info}; }; done\n'
            f"case $found in '' | {self.wanted} | {self.wanted}[!0-9]*) ;; *) printf 'found %s\\n' \"$found\"\n{then}\n"
            ";; esac"
        )

    @staticmethod
    def read(text: str) -> tuple[str, str]:
        """Read what `look` printed: the version that is found where it is another, and the first line after it."""
        first, _, rest = text.strip().partition("\n")
        name, _, found = first.partition(" ")
        if name != "found":
            return "", ""
        if not re.fullmatch(r"[0-9A-Za-z.+_-]{1,64}", found):
            raise AerodromeError("the name of the Airflow that is installed cannot be read", "see its dist-info folder")
        return found, rest.partition("\n")[0].strip()

    def reason(self, text: str) -> str:
        """Say of what `look` printed which version becomes which; nothing where it is the wanted one."""
        found, _ = self.read(text)
        return f"Airflow {found} becomes {self.wanted}" if found else ""


@dataclass(frozen=True)
class Version:
    """No other version of Airflow in use than the wanted one, where the metadata database is at that other version.

    `ask` is sh that says how the database is, with `$venv`, the environment in use: it runs only where versions differ.
    """

    installation: Installation
    ask: str
    accepted: bool = False  # everything is stopped first, as the operator has said

    @property
    def key(self) -> str:
        return f"version {self.installation.wanted}"

    def probe(self) -> str:
        return self.installation.look(self.ask)

    def changes(self, seen: Seen) -> list[Change]:
        """Return nothing, as nothing is changed here.

        Raises AerodromeError where the version must not be changed.
        """
        found, answer = self.installation.read(seen.text)
        if not found or answer in (EMPTY, ELSEWHERE, UNKNOWN):
            return []
        wanted = self.installation.wanted
        if answer == HERE and _release(wanted) < _release(found):
            raise AerodromeError(
                f"the metadata database has been migrated by Airflow {found}, and {wanted} cannot use it",
                f"set airflow.version: {found}; the way back is a backup from before, in a new database",
            )
        if self.accepted:
            return []
        hint = (
            "fab deploy --accept-downtime stops everything in a safe order first, then changes it"
            " (back up the database before); or set airflow.version to what runs"
        )
        if answer == HERE:
            message = (
                f"Airflow {found} is in use here, and the metadata database is at its version: a change to {wanted}"
                " would fail tasks that run, or run them twice"
            )
            raise AerodromeError(message, hint)
        why = answer or "no answer"
        raise AerodromeError(
            f"Airflow {found} is in use here, and the metadata database cannot be asked whether it is at its version"
            f" (to change to {wanted} under running tasks would fail them): {why}",
            hint,
        )


def _release(version: str) -> tuple[int, ...]:
    """Return major and minor, within which every version can use what another has migrated."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:2])
