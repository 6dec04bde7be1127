"""Backups of a database: directories of root's, each with a dump and a manifest that says what is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import field

from aerodrome.core.resource import Change, Seen, heredoc, quote
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.postgres import literal, sql
from aerodrome.resources.reading import free_at

NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")  # of a backup: that of the run that made it
GLOB = f"{'[0-9]' * 8}T{'[0-9]' * 6}Z-{'[0-9a-f]' * 4}"
NEW, OLD = ".new-", ".old-"  # begin the name of what is being made, or removed
DUMP, MANIFEST, DRILL = "dump", "manifest.json", "drill.json"
LONGEST_MANIFEST = 20_000  # bytes

SPARE = 32 << 20  # bytes that stay free on the file system of the backups
# Whose rows are counted: what an operator would miss.
TABLES = (
    "ab_role", "ab_user", "connection", "dag", "dag_run", "log", "slot_pool", "task_instance", "variable", "xcom",
)  # fmt: skip
HEADS = ("alembic_version", "alembic_version_fab")
HEAD = 8192  # bytes that a program prints of these before a dump
_FACT = (
    r"^(rows\|[a-z_]{1,64}\|[0-9]{1,18}|size\|[0-9]{1,18}|"
    rf"({'|'.join(('server', *HEADS))})\|[A-Za-z0-9._-]{{1,64}})$"
)

# The owner of the database decides what is in it, and may be DAG code (Airflow 1.10 and 2, and the DAG processor): a
# superuser reads plain tables there only, and finds functions in pg_catalog only. A client's options win over those
# that the owner has set for the database. A view that takes a table's place after it was looked up is refused by
# servers that can (CVE-2024-7348).
OPTIONS = "-c search_path=pg_catalog -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
GUARD = (
    "DO $$ BEGIN PERFORM set_config('restrict_nonsystem_relation_kind', 'view,foreign-table', false); "
    "EXCEPTION WHEN OTHERS THEN NULL; END $$;"
)
LOCK_WAIT = 300_000  # milliseconds that pg_dump waits for a table


def facts(tables: Sequence[str] = TABLES) -> str:
    """Return psql's input that prints revisions and numbers of rows: `alembic_version|REVISION`, `rows|TABLE|NUMBER`.

    Revisions are bare words, whatever is in their tables.
    """
    plain = "FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN"
    word = "left(regexp_replace(version_num, ''[^A-Za-z0-9_.-]'', '''', ''g''), 64)"
    return (
        f"SELECT format('SELECT %L, {word} FROM public.%I ORDER BY 2 LIMIT 20', relname, relname) {plain} "
        f"({', '.join(map(literal, HEADS))}) ORDER BY relname \\gexec\n"
        f"SELECT format('SELECT ''rows'', %L, count(*) FROM public.%I', relname, relname) {plain} "
        f"({', '.join(map(literal, tables))}) ORDER BY relname \\gexec\n"
    )


# Dump and counts are of one snapshot. pg_dump cannot enter the directory, so it writes through a descriptor that root
# has opened. psql starts it, because psql's transaction keeps the snapshot.
_DUMP = f"""\
{GUARD}
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT pg_export_snapshot() AS snapshot \\gset
\\setenv SNAPSHOT :snapshot
\\! pg_dump -Fc --snapshot="$SNAPSHOT" --lock-wait-timeout={LOCK_WAIT} </dev/null >&4 && echo dumped
SELECT 'server', split_part(current_setting('server_version'), ' ', 1);
SELECT 'size', pg_database_size(current_database());
{facts()}COMMIT;
"""
# The shell's variables before it are in `MadeBackup.script`.
_BEGIN = f"""\
umask 077
rm -rf "$folder"/{NEW}* "$folder"/{OLD}*
new=$folder/{NEW}$name
trap 'rm -rf "$new"' EXIT
mkdir "$new"
begun=$(date +%s)
"""
_HERE = f"""\
exec 4>"$new/{DUMP}"
runuser -u postgres -- env PGDATABASE="$database" PGOPTIONS={quote(OPTIONS)} \\
psql -XAtq -v ON_ERROR_STOP=1 >"$new/facts" {heredoc(_DUMP)}
exec 4>&-
"""
_END = f"""\
dumped= server= size= rows= heads= provider=
while IFS='|' read -r kind one two; do
case $kind in
dumped) dumped=1 ;;
server) server=$one ;;
size) size=$one ;;
{HEADS[0]}) heads="$heads${{heads:+, }}\\"$one\\"" ;;
{HEADS[1]}) provider="$provider${{provider:+, }}\\"$one\\"" ;;
rows) rows="$rows${{rows:+, }}\\"$one\\": $two" ;;
esac
done <"$new/facts"
rm "$new/facts"
[ "$dumped" ] || {{ echo 'pg_dump failed'; exit 1; }}
sum=$(sha256sum <"$new/{DUMP}")
{{
printf '{{"name": "%s", "at": %s, "seconds": %s, ' "$name" "$begun" $(($(date +%s) - begun))
printf '"bytes": %s, "sha256": "%s", ' "$(stat -c %s "$new/{DUMP}")" "${{sum%% *}}"
printf '"server": "%s", "size": %s, ' "$server" "$size"
printf '"heads": [%s], "provider_heads": [%s], "rows": {{%s}}, %s}}\\n' "$heads" "$provider" "$rows" "$about"
}} >"$new/{MANIFEST}"
sync "$new/{DUMP}" "$new/{MANIFEST}"
mv -T "$new" "$folder/$name"
sync "$folder"
"""
MAKE = _BEGIN + _HERE + _END


def make_elsewhere(program: str) -> str:
    """Return sh like MAKE for a database managed elsewhere, which `program` (sh, ends in a newline) dumps.

    The program runs as the service user, who may print anything: what is written leaves space on the disk.
    """
    return f"""\
{_BEGIN}free=$(($(stat -f -c '%a * %S' "$new")))
{{
set -e
{program}: >"$new/whole"
}} | {{
head -c {HEAD} >"$new/said"
grep -aE '{_FACT}' "$new/said" >"$new/facts" ||
{{ sed -n '1s/^error|//p' "$new/said" | grep . || echo 'the program that dumps it said nothing'; exit 1; }}
size=$(sed -n 's/^size|//p' "$new/facts" | head -n 1)
[ "$free" -ge $((size / 2 + {SPARE})) ] ||
{{ echo "not enough space in $folder: $free bytes are free, and the database has $size"; exit 1; }}
head -c $((free - {SPARE})) >"$new/{DUMP}"
}}
[ ! -e "$new/whole" ] || echo dumped >>"$new/facts"
rm -f "$new/said" "$new/whole"
{_END}"""


@dataclass(frozen=True)
class Place:
    """The directory of the backups on the database's host; it is root's, as are all directories above it."""

    folder: str

    def path(self, name: str, file: str = "") -> str:
        """Return the path of a backup, or of a file of it."""
        return f"{self.folder}/{name}/{file}".rstrip("/")

    def ask(self) -> str:
        """Return sh that prints `unsafe` and the directory that others could change, or nothing."""
        return (
            f"at={quote(self.folder)}\n"
            'while [ -n "$at" ]; do\n'
            'if [ -h "$at" ] || [ -e "$at" ]; then kind=$(stat -c "%F %u %a" "$at"); case $kind in '
            '"directory 0 "*[2367]|"directory 0 "*[2367]?) echo "unsafe $at"; break;; "directory 0 "*) ;; '
            '*) echo "unsafe $at"; break;; esac; fi\nat=${at%/*}; done'
        )

    def make(self) -> str:
        """Return sh that makes the directory if it is not there."""
        parent = quote(self.folder.rpartition("/")[0] or "/")
        return f"mkdir -p {parent}\n[ -d {quote(self.folder)} ] || mkdir -m 700 {quote(self.folder)}"


def check_place(place: Place, lines: Sequence[str]) -> None:
    """Raise AerodromeError if a host has said that the directory is not safe."""
    for line in lines:
        if line.startswith("unsafe "):
            raise AerodromeError(
                f"backups cannot be kept in {place.folder}: {line.removeprefix('unsafe ')[:300]} "
                "is not a directory that only root can change",
                "set backup.directory to one whose parents belong to root, without links",
            )


@dataclass(frozen=True)
class About:
    """The parts of a manifest that are not in the database."""

    airflow: str  # the version that used it; empty if unknown
    fernet: tuple[str, ...] = ()  # fingerprints of the keys
    broker: str = ""  # where Celery's messages are

    def members(self) -> str:
        """Return the members of the manifest's JSON object."""
        given = {"airflow": self.airflow, "fernet": list(self.fernet), "broker": self.broker}
        return json.dumps(given)[1:-1]


@dataclass(frozen=True)
class MadeBackup:
    """A backup with this name: a dump, and a manifest about the same snapshot. It is there whole, or not at all."""

    place: Place
    name: str
    database: str
    about: About = field(default_factory=lambda: About(""))
    program: str = ""  # sh that dumps a database managed elsewhere; see make_elsewhere

    @property
    def key(self) -> str:
        return f"backup {self.name}"

    def probe(self) -> str:
        """Return sh that prints `there`; or what is free and how large the database is, in bytes."""
        folder = quote(self.place.folder)
        if self.program:  # how large it is, the program finds out
            there = quote(self.place.path(self.name, MANIFEST))
            return f"if [ -e {there} ]; then echo there; else\n{self.place.ask()}\nfi"
        size = sql(f"SELECT 'size', pg_database_size({literal(self.database)});")
        return (
            f"if [ -e {quote(self.place.path(self.name, MANIFEST))} ]; then echo there; else\n{self.place.ask()}\n"
            f"{free_at(folder, 'free|%a|%S')}\n"
            # What a run that was killed has left is removed first.
            f'for left in {folder}/{NEW}* {folder}/{OLD}*; do [ ! -e "$left" ] || du -sk "$left"; done | '
            'while read -r size left; do echo "left|$size"; done\n'
            f"{size}\nfi"
        )

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        if "there" in lines:
            return []
        check_place(self.place, lines)
        if not self.program:
            self._check_space(lines)
        return [Change(f"back up database {self.database} as {self.name}", self.script())]

    def _check_space(self, lines: Sequence[str]) -> None:
        numbers = [line.split("|") for line in lines if "|" in line]
        size = sum(int(row[1]) for row in numbers if row[0] == "size")
        if not size:
            raise AerodromeError(
                f"PostgreSQL does not answer, or has no database {self.database}", "see why: fab status; fab logs"
            )
        free = sum(int(row[1]) * int(row[2]) for row in numbers if row[0] == "free")
        free += sum(int(row[1]) << 10 for row in numbers if row[0] == "left")
        # Indexes are in no dump, and what is in it is compressed.
        needed = size // 2 + SPARE
        if free < needed:
            raise AerodromeError(
                f"not enough space for a backup in {self.place.folder}: {megabytes(free)} are free, and it may take "
                f"{megabytes(needed)} (the database has {megabytes(size)})",
                "free some, lower backup.keep and run fab backups.prune, or set backup.directory",
            )

    def script(self) -> str:
        """Return sh that makes the backup."""
        given = {"folder": self.place.folder, "name": self.name, "database": self.database}
        given["about"] = self.about.members()
        variables = "".join(f"{name}={quote(value)}\n" for name, value in given.items())
        make = make_elsewhere(self.program) if self.program else MAKE
        return f"{self.place.make()}\n(\n{variables}{make})"


@dataclass(frozen=True)
class PrunedBackups:
    """No more backups than these are kept, the newest ones, and nothing of one that was never whole."""

    place: Place
    keep: int

    @property
    def key(self) -> str:
        return f"old backups in {self.place.folder}"

    def probe(self) -> str:
        folder = quote(self.place.folder)
        return (
            f"{self.place.ask()}\n"
            f"for each in {folder}/{GLOB} {folder}/{NEW}* {folder}/{OLD}*; do "
            '[ ! -d "$each" ] || [ -h "$each" ] || printf \'%s\\n\' "${each##*/}"; done'
        )

    def changes(self, seen: Seen) -> list[Change]:
        lines = seen.text.splitlines()
        check_place(self.place, lines)
        surplus = sorted(filter(NAME.fullmatch, lines), reverse=True)[self.keep :]
        parts = [line for line in lines if re.fullmatch(rf"({re.escape(NEW)}|{re.escape(OLD)}){NAME.pattern}", line)]
        folder, changes = quote(self.place.folder), []
        if parts:
            words = "remove what is left of a backup that was never finished"
            changes.append(Change(words, f"cd {folder}\nrm -rf {' '.join(map(quote, parts))}"))
        if surplus:
            # Moved aside first, so that half of one is never listed.
            drops = "\n".join(f"mv -T {name} {OLD}{name}\nrm -rf {OLD}{name}" for name in surplus)
            plural = "s" if len(surplus) > 1 else ""
            changes.append(Change(f"remove the old backup{plural} {', '.join(surplus)}", f"cd {folder}\n{drops}"))
        return changes
