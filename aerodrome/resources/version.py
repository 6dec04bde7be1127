"""Airflow's version on a host, and the stop that a change of it requires."""

from __future__ import annotations

import re

from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError


@dataclass(frozen=True)
class Installation:
    """The possible locations of Airflow on a host, and the wanted version. The first existing place is in use."""

    places: tuple[str, ...]  # paths of virtual environments
    wanted: str  # X.Y.Z, even if hosts.yaml says X.Y.Z.* or X.Y.Z+local

    def find(self) -> str:
        """Return sh that sets `$venv` to the environment in use; like everything here, it starts no process."""
        places = " ".join(quote(place) for place in self.places)
        return f'for venv in {places}; do [ ! -e "$venv/bin/python" ] || break; done'

    def look(self, then: str = ":") -> str:
        """Return sh that prints `found VERSION` and runs `then` if another version than the wanted one is in use."""
        return (
            f"found=; {self.find()}\n"
            'for place in "$venv"/lib/python3*/site-packages/apache_airflow-*.dist-info; do\n'
            '[ ! -d "$place" ] || { found=${place##*/apache_airflow-}; found=${found%.dist-info}; }; done\n'
            f"case $found in '' | {self.wanted} | {self.wanted}[!0-9]*) ;; *) printf 'found %s\\n' \"$found\"\n{then}\n"
            ";; esac"
        )

    @staticmethod
    def read(text: str) -> tuple[str, str]:
        """Parse the output of `look`: the version in use if it differs, and the first line after it."""
        first, _, rest = text.strip().partition("\n")
        name, _, found = first.partition(" ")
        if name != "found":
            return "", ""
        if not re.fullmatch(r"[0-9A-Za-z.+_-]{1,64}", found):
            raise AerodromeError("cannot read the name of the installed Airflow", "check its dist-info directory")
        return found, rest.partition("\n")[0].strip()

    def reason(self, text: str) -> str:
        """Return which version becomes which according to `look`; nothing if the wanted one is in use."""
        found, _ = self.read(text)
        return f"Airflow {found} becomes {self.wanted}" if found else ""
