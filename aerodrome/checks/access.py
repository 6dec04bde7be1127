"""Logins that hosts.yaml no longer contains but pg_hba.conf still allows: reported, not removed."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import Found
from aerodrome.resources.postgres import Answer, Login, ask
from aerodrome.resources.postgres_access import inside, surplus

SHOWN = 5  # how many lines to name


@dataclass(frozen=True)
class AccessLeft:
    """Lines of our block that only a `whole` deploy removes, and lines outside it that equal one of `leaving`."""

    logins: tuple[Login, ...]
    leaving: tuple[str, ...] = ()
    whole: bool = False

    @property
    def key(self) -> str:
        return "postgresql access left"

    def probe(self) -> str:
        return ask(self.logins)

    def judge(self, answer: str) -> list[Finding]:
        found = Answer.parse(answer)
        if "hba" not in found.rows:
            return []
        file = Found.parse(found.hba.partition("\n")[2])
        others = surplus(self.logins, file)
        notes = []
        if others and not self.whole:
            notes.append(
                f"pg_hba.conf still allows logins that hosts.yaml no longer has ({_named(others)}). They may be in "
                "use; only fab deploy for the whole fleet, without -H and --role, removes them"
            )
        ours = inside(file.content)
        outside = [line for line in self.leaving if file.content.split("\n").count(line) > ours.count(line)]
        if outside:
            notes.append(
                f"outside the lines that are managed here, pg_hba.conf has {_named(outside)}: the fleet no longer "
                "needs this; remove it by hand if nothing else does"
            )
        return [Finding(self.key, "warning", note) for note in notes]


def _named(lines: tuple[str, ...] | list[str]) -> str:
    return "; ".join(lines[:SHOWN]) + (f"; and {len(lines) - SHOWN} more" if len(lines) > SHOWN else "")
