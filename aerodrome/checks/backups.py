"""Which backups there are, and what their manifests say: read as text that anybody may have written."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from aerodrome.core.check import Finding
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED, AerodromeError
from aerodrome.resources.backup import DRILL, DUMP, GLOB, LONGEST_MANIFEST, MANIFEST, NAME, Place, check_place
from aerodrome.resources.exchange import is_kept
from aerodrome.resources.postgres import sql

MOST = 300  # backups that are listed, the newest ones
LONGEST = LONGEST_MANIFEST, 2000  # bytes of a manifest, and of the record of a drill
WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
LARGEST = 1 << 62
_KEPT = "SELECT 'asked'; SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE '%\\_before\\_%';"


@dataclass(frozen=True)
class Drill:
    """How the last drill of a backup ended."""

    run: str
    at: int  # seconds since the epoch
    ok: bool


@dataclass(frozen=True)
class Backup(Finding):
    """One backup; its verdict is failed if it cannot be read, or is not what its manifest says."""

    host: str = field(kw_only=True)
    name: str = ""
    at: int = 0  # when it was begun, seconds since the epoch by the host's clock
    age: int = 0  # seconds since then
    bytes: int = 0  # of the dump
    sha256: str = ""
    airflow: str = ""  # version; empty if unknown
    server: str = ""  # version of PostgreSQL
    size: int = 0  # bytes of the database
    heads: tuple[str, ...] = ()  # revisions of Airflow's schema
    provider_heads: tuple[str, ...] = ()  # of the FAB provider's
    rows: Mapping[str, int] = field(default_factory=dict)  # by table
    fernet: tuple[str, ...] = ()  # fingerprints of the keys
    broker: str = ""
    drill: Drill | None = None

    def facts(self) -> list[str]:
        """Return the lines that resources.backup.facts prints of a database that is the same."""
        heads = [f"alembic_version|{head}" for head in self.heads]
        heads += [f"alembic_version_fab|{head}" for head in self.provider_heads]
        return heads + [f"rows|{table}|{number}" for table, number in self.rows.items()]


@dataclass(frozen=True)
class HeldBackups:
    """The backups on the host of the database."""

    host: str
    place: Place
    key = "backups"

    def probe(self) -> str:
        """Return sh that prints the time, and three lines a backup: name and size, manifest, drill."""
        folder = quote(self.place.folder)
        return (
            f"date +%s\n{self.place.ask()}\n"
            f"for each in {folder}/{GLOB}; do printf '%s\\n' \"${{each##*/}}\"; done | sort -r | head -n {MOST} | "
            f'while IFS= read -r name; do each={folder}/$name; [ -d "$each" ] && [ ! -h "$each" ] || continue\n'
            f'echo "$name $(stat -c %s "$each/{DUMP}" 2>/dev/null)"\n'
            f"head -c {LONGEST[0]} \"$each/{MANIFEST}\" 2>/dev/null | tr '\\n\\0' '  '; echo\n"
            f"head -c {LONGEST[1]} \"$each/{DRILL}\" 2>/dev/null | tr '\\n\\0' '  '; echo; done\n"
        )

    def judge(self, answer: str) -> list[Backup]:
        """Return the backups, the newest first; none if there are none."""
        clock, *lines = answer.split("\n")
        try:
            check_place(self.place, lines)
        except AerodromeError as error:
            return self.unknown(error.message)
        now = int(clock) if clock.isdigit() else 0
        return [self._read(now, *three) for three in zip(lines[::3], lines[1::3], lines[2::3], strict=False)]

    def unknown(self, why: str) -> list[Backup]:
        return [Backup("backup", "failed", why, host=self.host)]

    def _read(self, now: int, head: str, manifest: str, drill: str) -> Backup:
        name, _, size = head.partition(" ")
        if not NAME.fullmatch(name):
            raise ValueError("not the name of a backup")
        bare = Backup("backup", "failed", "its manifest cannot be read", host=self.host, name=name)
        try:
            found = read_manifest(json.loads(manifest), bare)
        except UNEXPECTED:
            return bare
        verdict, detail = ("ok", "whole") if str(found.bytes) == size else ("failed", "its dump has another size")
        values = {**found.__dict__, "verdict": verdict, "detail": detail, "drill": read_drill(drill)}
        return Backup(**{**values, "age": max(0, now - found.at)})


def read_manifest(given: Any, bare: Backup) -> Backup:
    """Return a backup with what its manifest says; raise one of UNEXPECTED if that is not a manifest."""
    if given["name"] != bare.name or not SHA256.fullmatch(given["sha256"]):
        raise ValueError("another backup's")
    rows = {_word(table): _number(number) for table, number in given["rows"].items()}
    return Backup(
        bare.subject,
        "ok",
        "",
        host=bare.host,
        name=bare.name,
        at=_number(given["at"]),
        bytes=_number(given["bytes"]),
        sha256=given["sha256"],
        airflow=_word(given["airflow"]) if given["airflow"] else "",
        server=_word(given["server"]),
        size=_number(given["size"]),
        heads=_words(given["heads"]),
        provider_heads=_words(given["provider_heads"]),
        rows=rows,
        fernet=_words(given["fernet"]),
        broker=str(given["broker"])[:200],
    )


def read_drill(text: str) -> Drill | None:
    """Return how the last drill ended; None if there was none, or its record makes no sense."""
    try:
        given = json.loads(text)
        if not NAME.fullmatch(given["run"]):
            raise ValueError("not the name of a run")
        return Drill(given["run"], _number(given["at"]), given["ok"] is True)
    except UNEXPECTED:
        return None


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < LARGEST:
        raise ValueError("not a number")
    return value


def _word(value: Any) -> str:
    if not WORD.fullmatch(value):
        raise ValueError("not a word")
    return str(value)


def _words(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) > 100:
        raise TypeError("not a list")
    return tuple(map(_word, values))


@dataclass(frozen=True)
class KeptDatabase(Finding):
    """A database that a restore has kept; its subject is its name."""

    size: int = 0  # bytes


@dataclass(frozen=True)
class KeptDatabases:
    """The databases that restores have kept on the host of the database."""

    database: str
    key = "kept databases"

    def probe(self) -> str:
        """Return sh that prints `asked`, and a line with name and size for each database."""
        return f"{sql(_KEPT)}\n"

    def judge(self, answer: str) -> list[KeptDatabase]:
        """Return the databases, the newest first."""
        first, *lines = answer.splitlines() or [""]
        if first != "asked":
            return self.unknown("PostgreSQL does not answer")
        rows = [line.rpartition("|") for line in lines]
        found = [KeptDatabase(name, "ok", "", size=int(size)) for name, _, size in rows if is_kept(self.database, name)]
        return sorted(found, key=lambda each: each.subject, reverse=True)

    def unknown(self, why: str) -> list[KeptDatabase]:
        return [KeptDatabase("", "failed", why)]
