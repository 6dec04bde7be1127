"""A restored database takes the place of the real one, which is kept under another name; and the way back."""

from __future__ import annotations

import re

from aerodrome.core.resource import Change, Seen
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.postgres import identifier, literal, sql
from aerodrome.resources.scratch import SCRATCH

STAMP = r"\d{8}t\d{6}z"  # in lower case: SQL reads it without quotes

# pg_dump does not take along what belongs to the database itself: its settings, and who may connect (roles that the
# operator has granted that, and not everybody, as PostgresAccount has revoked it). Settings are copied as they are, for
# in a statement they would have to be quoted each in its own way; the owner may have set them.
_OWN = f"""\
INSERT INTO pg_db_role_setting SELECT new.oid, setrole, setconfig FROM pg_db_role_setting
JOIN pg_database AS old ON old.oid = setdatabase AND old.datname = {{old}}
JOIN pg_database AS new ON new.datname = '{SCRATCH}';
SELECT format('GRANT %s ON DATABASE {SCRATCH} TO %s%s', privilege_type,
CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = {{old}} \\gexec
"""
# Both renames are one transaction, so no run that is killed leaves Airflow without a database. A client that connects
# again at once, such as a pool, would keep a database from being renamed: nobody can connect until that is done.
_AGAIN = "exchange || { sleep 1; exchange; } || { sleep 1; exchange; }"


def kept_name(database: str, run: str) -> str:
    """Return the name under which a restore by this run keeps the real database."""
    return f"{database}_before_{run.partition('-')[0].lower()}"


def is_kept(database: str, name: str) -> bool:
    """Tell whether a restore has kept a database under this name."""
    return re.fullmatch(rf"{re.escape(database)}_before_{STAMP}", name, re.ASCII) is not None


@dataclass(frozen=True)
class Exchanged:
    """The scratch database has become the real one. The former real one is called `kept`; nobody can connect to it."""

    database: str
    kept: str

    @property
    def key(self) -> str:
        return f"database {self.database}"

    def probe(self) -> str:
        return sql(f"SELECT datname FROM pg_database WHERE datname IN ({self._names}) ORDER BY 1;")

    @property
    def _names(self) -> str:
        return ", ".join(map(literal, (self.database, self.kept, SCRATCH)))

    def changes(self, seen: Seen) -> list[Change]:
        there = seen.text.split()
        if self.kept in there and self.database in there:
            return []
        if self.database not in there:
            raise AerodromeError(
                f"there is no database {self.database}, or PostgreSQL does not answer",
                "make an empty one, which the restore then replaces: fab setup-db",
            )
        return [Change(f"keep database {self.database} as {self.kept}, and use the restored one", self._script())]

    def _script(self) -> str:
        own = _OWN.format(old=literal(self.database))
        statements = (
            f"{close(self.database)}\n{_sessions(SCRATCH)}\nBEGIN;\n{own}"
            f"ALTER DATABASE {identifier(self.database)} RENAME TO {identifier(self.kept)};\n"
            f"ALTER DATABASE {SCRATCH} RENAME TO {identifier(self.database)};\nCOMMIT;"
        )
        return f"exchange() {{\n{sql(statements)}\n}}\n{_AGAIN} || {{\n{sql(_opened(self.database))}\nexit 1\n}}"


@dataclass(frozen=True)
class ExchangedBack:
    """The real database is the one that was kept as `kept`; the restored one is the scratch database again."""

    database: str
    kept: str

    @property
    def key(self) -> str:
        return f"database {self.database}"

    def probe(self) -> str:
        """Return sh that prints `kept` if the names were exchanged, or `closed` if nobody can connect."""
        return sql(
            f"SELECT 'kept' FROM pg_database WHERE datname = {literal(self.kept)} UNION ALL "
            f"SELECT 'closed' FROM pg_database WHERE datname = {literal(self.database)} AND NOT datallowconn;"
        )

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.split()
        if "kept" in lines:
            statements = (
                f"{close(self.database)}\n{_sessions(self.kept)}\nBEGIN;\n"
                f"ALTER DATABASE {identifier(self.database)} RENAME TO {SCRATCH};\n"
                f"ALTER DATABASE {identifier(self.kept)} RENAME TO {identifier(self.database)};\n"
                f"{_opened(self.database)}\nCOMMIT;"
            )
            script = f"exchange() {{\n{sql(statements)}\n}}\n{_AGAIN}"
        elif "closed" in lines:
            script = sql(_opened(self.database))
        else:
            return []
        return [Change(f"use database {self.database} as it was before", script)]


@dataclass(frozen=True)
class NoDatabase:
    """No database with this name, which a restore has kept."""

    name: str

    @property
    def key(self) -> str:
        return f"database {self.name}"

    def probe(self) -> str:
        return sql(f"SELECT 'there' FROM pg_database WHERE datname = {literal(self.name)};")

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        name = identifier(self.name)
        script = sql(f"{close(self.name)}\nDROP DATABASE {name};")
        return [Change(f"drop database {self.name}", script)]


def close(database: str) -> str:
    """Return the statements after which nobody is connected to a database, or can be."""
    return f"ALTER DATABASE {identifier(database)} ALLOW_CONNECTIONS false;\n{_sessions(database)}"


def _opened(database: str) -> str:
    return f"ALTER DATABASE {identifier(database)} ALLOW_CONNECTIONS true;"


def _sessions(database: str) -> str:
    """Return the statement that ends all sessions of a database."""
    which = f"WHERE datname = {literal(database)}"
    return f"DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity {which}; END $$;"
