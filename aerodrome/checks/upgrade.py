"""How far an upgrade of Airflow has come, as hosts have recorded it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass
from aerodrome.resources.backup import HEADS, NAME
from aerodrome.resources.postgres import sql
from aerodrome.resources.upgrade import BEGUN, COUNTED, DONE, RECORD, ROLLED, ROLLING, SHOW

VERSION = re.compile(r"[0-9][0-9A-Za-z.+*]{0,30}")


@dataclass(frozen=True)
class Upgrade(Finding):
    """An upgrade that a run has begun, and not taken back."""

    run: str = ""
    before: str = ""  # version
    after: str = ""
    done: bool = False
    rolling: bool = False  # it leaves the database as it is


def _words(record: str) -> list[str]:
    """Return run, versions and state of a record; none if it is not one."""
    words = record.split()
    return words if len(words) == 4 and all(map(VERSION.fullmatch, words[1:3])) else []


@dataclass(frozen=True)
class RecordedUpgrade:
    """The upgrade that the database's host has recorded."""

    key = "upgrade"

    def probe(self) -> str:
        return f"echo asked; {SHOW}"

    def judge(self, answer: str) -> list[Finding]:
        """Return the upgrade; none if none is recorded."""
        first, _, line = answer.strip().partition("\n")
        if first != "asked":
            return self.unknown("the host does not answer")
        if not line.strip():
            return []
        words = _words(line)
        if not words or not NAME.fullmatch(words[0]) or words[3] not in (BEGUN, DONE, ROLLING, ROLLED):
            return self.unknown(f"{RECORD} cannot be read")
        run, before, after, state = words
        done, rolling = state in (DONE, ROLLED), state in (ROLLING, ROLLED)
        return [Upgrade(self.key, "ok", state, run=run, before=before, after=after, done=done, rolling=rolling)]

    def unknown(self, why: str) -> list[Finding]:
        return [Finding(self.key, "failed", why)]


@dataclass(frozen=True)
class Unfinished:
    """No upgrade of Airflow has been begun without being finished: nothing else changes the fleet in between."""

    key = "unfinished upgrade"

    def probe(self) -> str:
        return f"[ ! -r {RECORD} ] || {{ IFS= read -r line <{RECORD}; printf '%s\\n' \"$line\"; }}"

    def judge(self, answer: str) -> list[Finding]:
        words = _words(answer)
        if not words or words[3] not in (BEGUN, ROLLING):
            return []
        message = f"an upgrade from Airflow {words[1]} to {words[2]} was begun, and has not been finished"
        return refused(self, message, f"continue it: fab upgrade --to={words[2]}; or go back: fab upgrade --back")


@dataclass(frozen=True)
class DatabaseAnswers:
    """PostgreSQL answers: no answer must not be taken for a database that needs no way back."""

    key = "PostgreSQL answers"

    def probe(self) -> str:
        return sql("SELECT 'answers';")

    def judge(self, answer: str) -> list[Finding]:
        if answer.strip() == "answers":
            return []
        return refused(self, "PostgreSQL does not answer", "see why: fab logs; systemctl status postgresql")


@dataclass(frozen=True)
class Migrated:
    """Run `run` has migrated a database; the host's `file`, which is root's own, says so, and how long it took."""

    file: str
    run: str

    @property
    def key(self) -> str:
        return f"migration {self.file}"

    def probe(self) -> str:
        return f"head -c 100 {self.file} 2>/dev/null"

    def judge(self, answer: str) -> list[Finding]:
        run, _, seconds = answer.strip().partition(" ")
        if run == self.run and re.fullmatch(r"\d{1,9}", seconds):
            return [Finding(self.key, "ok", seconds)]
        return [Finding(self.key, "failed", "not migrated by this run")]

    def unknown(self, why: str) -> list[Finding]:
        return [Finding(self.key, "failed", why)]


@dataclass(frozen=True)
class Counts(Finding):
    """The revisions and the numbers of rows of a migrated copy."""

    heads: tuple[str, ...] = ()  # Airflow's
    provider_heads: tuple[str, ...] = ()  # the FAB provider's
    rows: Mapping[str, int] = field(default_factory=dict)  # by table


@dataclass(frozen=True)
class CopyCounted:
    """Run `run` has counted the rows of its migrated copy."""

    run: str
    key = "rows of the copy"

    def probe(self) -> str:
        return f"head -c 10000 {COUNTED} 2>/dev/null"

    def judge(self, answer: str) -> list[Finding]:
        run, *lines = answer.splitlines() or [""]
        if run != self.run:
            return [Finding(self.key, "failed", "not counted by this run")]
        found = [match for line in lines if (match := re.fullmatch(r"rows\|(\w{1,64})\|(\d{1,12})", line, re.ASCII))]
        rows = {match[1]: int(match[2]) for match in found}
        own, provider = (
            tuple(line[len(kind) + 1 :] for line in lines if line.startswith(f"{kind}|")) for kind in HEADS
        )
        return [Counts(self.key, "ok", "counted", heads=own, provider_heads=provider, rows=rows)]

    def unknown(self, why: str) -> list[Finding]:
        return [Finding(self.key, "failed", why)]
