"""An upgrade of Airflow on the host of the database: its record, and a copy of the database."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.exchange import close
from aerodrome.resources.files import write_into
from aerodrome.resources.postgres import identifier, literal, sql
from aerodrome.resources.scratch import DROP, SCRATCH, SPARE

RECORD = "/var/lib/aerodrome/upgrade"  # root's own: the run, both versions, and how far it has come
SHOW = f"head -c 200 {RECORD} 2>/dev/null"  # sh that prints it
PREVIOUS = f"{RECORD}.previous"  # the record of the upgrade before it
BEGUN, DONE = "begun", "done"
ROLLING, ROLLED = "rolling", "rolled"  # the same of an upgrade that leaves the database as it is
COUNTED = "/run/aerodrome/counted"  # the run that has counted the rows of its copy, and the numbers


@dataclass(frozen=True)
class UpgradeRecord:
    """The host says which upgrade was begun by which run, and whether it is done."""

    run: str
    before: str  # version
    after: str
    done: bool = False
    rolling: bool = False  # it leaves the database as it is
    key = f"file {RECORD}"

    def probe(self) -> str:
        return SHOW

    def changes(self, seen: Seen) -> list[Change]:
        line, states = f"{self.run} {self.before} {self.after}", [ROLLED, ROLLING] if self.rolling else [DONE, BEGUN]
        wanted = [f"{line} {state}" for state in states[: 1 if self.done else 2]]
        if seen.text.strip() in wanted:
            return []
        other = seen.text.split()[:1] not in ([], [self.run])
        script = f"mkdir -p {RECORD.rpartition('/')[0]}\n" + (f"cp -p {RECORD} {PREVIOUS}\n" if other else "")
        script += write_into(RECORD, f"printf '%s\\n' {quote(wanted[-1])}", "root", "root", 0o600)
        return [Change(f"record that the upgrade to {self.after} is {[DONE, BEGUN][not self.done]}", script)]


@dataclass(frozen=True)
class NoUpgradeRecord:
    """Upgrade `run` is not recorded any more: it has been taken back. The upgrade before it is recorded again."""

    run: str
    key = f"file {RECORD}"

    def probe(self) -> str:
        return SHOW

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.split()[:1] != [self.run]:
            return []
        script = f"if [ -e {PREVIOUS} ]; then mv {PREVIOUS} {RECORD}; else rm -f {RECORD}; fi"
        return [Change("record that the upgrade was taken back", script)]


@dataclass(frozen=True)
class Finished:
    """Upgrade `run` is no longer recorded: nothing is kept that leads back. Another upgrade's record stays."""

    run: str
    key = f"file {RECORD}"

    def probe(self) -> str:
        return SHOW

    def changes(self, seen: Seen) -> list[Change]:
        words = seen.text.split()
        if words[:1] != [self.run] or words[-1] not in (DONE, ROLLED):
            return []
        return [Change("forget the upgrade: fab upgrade --back cannot undo it any more", f"rm -f {PREVIOUS} {RECORD}")]


@dataclass(frozen=True)
class CopiedDatabase:
    """The scratch database is a copy of the real one, to which nobody can connect any more; once it has been put aside
    as `kept`, there is nothing to do.

    It is made by the server itself (TEMPLATE), which takes a sixth of the time of a dump and a restore, and needs that
    nobody is connected: all units have stopped.
    """

    database: str
    owner: str
    kept: str

    @property
    def key(self) -> str:
        return f"copy of database {self.database}"

    def probe(self) -> str:
        """Return sh that prints `kept` if that is there, else the size of the database and what is free, in bytes."""
        there = f"SELECT 'kept' FROM pg_database WHERE datname = {literal(self.kept)};"
        size = f"SELECT 'size', pg_database_size({literal(self.database)}), current_setting('data_directory');"
        return (
            f'if [ "$({sql(there)}\n)" = kept ]; then echo kept; else\nfound=$({sql(size)}\n)\n'
            'printf \'%s\\n\' "${found%|*}"; [ -z "$found" ] || stat -f -c "free|%a|%S" "${found##*|}"\nfi'
        )

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        if "kept" in lines:
            return []
        numbers = {line.split("|")[0]: line.split("|")[1:] for line in lines if "|" in line}
        if "size" not in numbers or "free" not in numbers:
            raise AerodromeError(
                f"PostgreSQL does not answer, or has no database {self.database}", "see why: fab status; fab logs"
            )
        (size,), (blocks, block) = map(int, numbers["size"]), map(int, numbers["free"])
        # A migrated database has 1.4 times the size of before (2.11.2 to 3.3.2).
        if (free := blocks * block) < (needed := size * 3 // 2 + SPARE):
            raise AerodromeError(
                f"not enough space for a copy of the database: {megabytes(free)} are free where PostgreSQL keeps its "
                f"databases, and it takes {megabytes(needed)}",
                "free some; fab backups.prune drops databases that were kept by a restore or an upgrade",
            )
        return [Change(f"copy database {self.database}", self._script())]

    def _script(self) -> str:
        name, owner = identifier(self.database), identifier(self.owner)
        made = (
            f"{DROP}\n{close(self.database)}\nCREATE DATABASE {SCRATCH} OWNER {owner} TEMPLATE {name};\n"
            f"REVOKE ALL ON DATABASE {SCRATCH} FROM PUBLIC;"
        )
        opened = sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")
        return f"copy() {{\n{sql(made)}\n}}\ncopy || {{\n{opened}\nexit 1\n}}"
