"""Who may log in to PostgreSQL, and from where: lines of pg_hba.conf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import NOTHING
from aerodrome.dataclass import dataclass
from aerodrome.resources.block import Block
from aerodrome.resources.files import Found
from aerodrome.resources.postgres import LOCAL, Answer, Login, ask

BLOCK = "aerodrome"  # the name of our block (files.Block)
RELOAD = "runuser -u postgres -- psql -XAtqc 'SELECT pg_reload_conf()' postgres >/dev/null"


@dataclass(frozen=True)
class PostgresAccess:
    """Lines of pg_hba.conf that let each login in from its addresses, with a password, to its own database.

    Other lines of our block stay for now: whatever runs may still log in by them (AccessClosed takes them out).
    """

    logins: tuple[Login, ...]

    @property
    def key(self) -> str:
        return "postgresql access"

    def probe(self) -> str:
        return ask(self.logins)

    def changes(self, seen: Seen) -> list[Change]:
        nodes = len({address for login in self.logins for address in login.addresses} - LOCAL)
        answer = Answer.parse(seen.text)
        if "hba" not in answer.rows:
            return [Change(f"let {nodes} nodes log in (pg_hba.conf)", "")]
        path, loaded = answer.rows["hba"]
        modified, _, text = answer.hba.partition("\n")
        found = Found.parse(text)
        there, others = inside(found.content), surplus(self.logins, found)
        # Lines that will go keep their places: moving them would be one more change.
        block = tuple(there) if others and set(lines(self.logins)) <= set(there) else (*lines(self.logins), *others)
        changes = Block(path, block, True, BLOCK, "postgres", RELOAD).changes(Seen(text))
        if changes:
            return [replace(changes[0], summary=f"let {nodes} nodes log in ({path})")]
        if found.kind and int(modified) > int(loaded):
            return [Change("reload PostgreSQL (pg_hba.conf is newer)", RELOAD, undo=NOTHING)]
        return []


@dataclass(frozen=True)
class AccessClosed:
    """No further line in our block of pg_hba.conf, once nothing that runs needs it any more."""

    logins: tuple[Login, ...]

    @property
    def key(self) -> str:
        return "postgresql access closed"

    def probe(self) -> str:
        return ask(self.logins)

    def changes(self, seen: Seen) -> list[Change]:
        answer = Answer.parse(seen.text)
        _, _, text = answer.hba.partition("\n")
        others = surplus(self.logins, Found.parse(text))
        if "hba" not in answer.rows or not others:
            return []
        path, _ = answer.rows["hba"]
        changes = Block(path, lines(self.logins), True, BLOCK, "postgres", RELOAD).changes(Seen(text))
        count = "1 line" if len(others) == 1 else f"{len(others)} lines"
        summary = f"take {count} for logins that no longer exist from {path}"
        return [replace(each, summary=summary) for each in changes]


def lines(logins: Sequence[Login]) -> tuple[str, ...]:
    """Return the lines of pg_hba.conf that let these log in."""
    return tuple(line for login in logins for line in login.lines())


def inside(content: str) -> list[str]:
    """Return the lines between the markers of our block; none if a marker is missing."""
    _, begin, rest = f"\n{content}".partition(f"\n# BEGIN {BLOCK}\n")
    block, end, _ = f"\n{rest}\n".partition(f"\n# END {BLOCK}\n")
    return [line for line in block.split("\n") if line] if begin and end else []


def surplus(logins: Sequence[Login], found: Found) -> tuple[str, ...]:
    """Return the lines of our block that let anybody else log in."""
    return tuple(line for line in inside(found.content) if line not in lines(logins))
