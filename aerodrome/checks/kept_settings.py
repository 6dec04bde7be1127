"""The settings that a host has outside hosts.yaml: their names, and never their values."""

from __future__ import annotations

import re
from dataclasses import field

from aerodrome.core.check import Finding
from aerodrome.core.resource import as_user, quote
from aerodrome.dataclass import dataclass

LARGEST, MOST = 1 << 20, 2000  # bytes of a file, and names of it
_VARIABLE = re.compile(r"AIRFLOW__\w{1,200}", re.ASCII)
_SECTION, _KEY = re.compile(r"\[([\w.]{1,100})\]", re.ASCII), re.compile(r"[\w.]{1,100}", re.ASCII)


@dataclass(frozen=True)
class SetByHand(Finding):
    """The names that a file of a host sets: variables, or settings as section.key."""

    host: str = field(kw_only=True)
    file: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptSettings:
    """Variables in root's file `variables`, and settings in `config`, an airflow.cfg that `user` may write to."""

    host: str
    variables: str
    config: str  # empty: it is that of hosts.yaml
    user: str
    key = "settings kept by hand"

    def probe(self) -> str:
        """Return sh that prints the names in both files, separated by an empty line."""
        variables = "s/^[[:space:]]*\\(AIRFLOW__[A-Za-z0-9_]*\\)[[:space:]]*=.*/\\1/p"
        settings = "s/^\\(\\[[A-Za-z0-9_.]*\\]\\).*/\\1/p; s/^\\([A-Za-z0-9_.]*\\)[[:space:]]*[=:].*/\\1/p"
        lines = [f"[ ! -f {quote(self.variables)} ] || sed -n {quote(variables)} {quote(self.variables)}", "echo"]
        if self.config:
            read = as_user(self.user, f"head -c {LARGEST} {quote(self.config)}")
            lines.append(f"{read} 2>/dev/null | sed -n {quote(settings)}")
        return "\n".join(lines)

    def judge(self, answer: str) -> list[SetByHand]:
        """Return each file that sets anything."""
        variables, _, settings = f"\n{answer}".partition("\n\n")
        names = [line for line in variables.splitlines() if _VARIABLE.fullmatch(line)]
        found, section = [], ""
        for line in settings.splitlines():
            if begins := _SECTION.fullmatch(line):
                section = begins[1]
            elif section and _KEY.fullmatch(line):
                found.append(f"{section}.{line}")
        given = {self.variables: names, self.config: found}
        return [
            SetByHand(self.key, "ok", f"{len(each)} settings", host=self.host, file=file, names=tuple(each[:MOST]))
            for file, each in given.items()
            if each
        ]

    def unknown(self, why: str) -> list[SetByHand]:
        return [SetByHand(self.key, "failed", why, host=self.host)]
