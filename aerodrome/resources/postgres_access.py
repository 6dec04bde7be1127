"""Who may log in to PostgreSQL, and from where: lines of pg_hba.conf."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import Block, Found
from aerodrome.resources.postgres import Answer, Login, ask

RELOAD = "runuser -u postgres -- psql -XAtqc 'SELECT pg_reload_conf()' postgres >/dev/null"


@dataclass(frozen=True)
class PostgresAccess:
    """Lines of pg_hba.conf that let each login in from its addresses, with a password, to its own database.

    Lines that are there already and that `leaving` has stay for now (AccessClosed takes them out later).
    """

    logins: tuple[Login, ...]
    leaving: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return "postgresql access"

    def probe(self) -> str:
        return ask(self.logins)

    def changes(self, seen: Seen) -> list[Change]:
        nodes = len({address for login in self.logins for address in login.addresses})
        answer = Answer.parse(seen.text)
        if "hba" not in answer.rows:
            return [Change(f"let {nodes} nodes log in (pg_hba.conf)", "")]
        path, loaded = answer.rows["hba"]
        modified, _, text = answer.hba.partition("\n")
        found = Found.parse(text)
        changes = Block(path, (*self.lines(), *_present(self.leaving, found)), first=True, user="postgres").changes(
            Seen(text)
        )
        if changes:
            script = f"{changes[0].script}\n{RELOAD}"
            return [Change(f"let {nodes} nodes log in ({path})", script, changes[0].diff)]
        if found.kind and int(modified) > int(loaded):
            return [Change("reload PostgreSQL (pg_hba.conf is newer)", RELOAD)]
        return []

    def lines(self) -> tuple[str, ...]:
        """Return the lines of pg_hba.conf."""
        return tuple(line for login in self.logins for line in login.lines())


@dataclass(frozen=True)
class AccessClosed:
    """No line of `leaving` in pg_hba.conf, once nothing that runs needs it any more."""

    logins: tuple[Login, ...]
    leaving: tuple[str, ...]

    @property
    def key(self) -> str:
        return "postgresql access closed"

    def probe(self) -> str:
        return ask(self.logins)

    def changes(self, seen: Seen) -> list[Change]:
        answer = Answer.parse(seen.text)
        _, _, text = answer.hba.partition("\n")
        there = _present(self.leaving, Found.parse(text))
        if "hba" not in answer.rows or not there:
            return []
        path, _ = answer.rows["hba"]
        changes = Block(path, PostgresAccess(self.logins).lines(), first=True, user="postgres").changes(Seen(text))
        summary = f"take {len(there)} lines for logins that no longer exist from {path}"
        return [Change(summary, f"{each.script}\n{RELOAD}", each.diff) for each in changes]


def _present(lines: tuple[str, ...], found: Found) -> tuple[str, ...]:
    """Return those of the lines that a file has."""
    there = found.content.split("\n")
    return tuple(line for line in lines if line in there)
