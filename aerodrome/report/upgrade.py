"""The page that `fab upgrade` prints before anything stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aerodrome.checks.backups import Backup
from aerodrome.components.inputs import Inputs
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.report.sink import escape

MOST = 40  # lines of a list
STARTS = 30  # seconds in which units stop and start, besides the migration: 20 to 30 on small machines
# What people notice, by major version.
CHANGES = {
    2: (
        "the web UI is at the same URL, with the same logins; 1.10's experimental API is gone, /api/v1 takes its place",
    ),
    3: (
        "the web UI is at the same URL, with the same logins; its pages are new",
        "the REST API is /api/v2, with tokens (POST /auth/token); /api/v1 is gone",
        "DAGs are parsed by the DAG processor; tasks reach the database through the web server only",
        "a DAG run is created when its interval begins, so one name of a schedule is left out",
        "XComs that were pickled move to the table _xcom_archive",
    ),
}


@dataclass(frozen=True)
class Rehearsal:
    """The findings of a rehearsal."""

    seconds: int  # that the migration took
    rows: Mapping[str, int]  # of the migrated copy, by table
    imports: str  # how many DAGs each version can import
    settings: Sequence[str] = ()  # what becomes of settings, one sentence each
    notes: Sequence[str] = ()  # lines of DAGs that the other version reads differently
    migrates: bool = True  # the database changes, so everything has to stop


def upgrade_page(before: Inputs, after: Inputs, backup: Backup, found: Rehearsal) -> str:
    """Say what an upgrade is going to do, after its rehearsal."""
    old, new = before.fleet.airflow.version, after.fleet.airflow.version
    major = after.catalogue.major
    people = CHANGES.get(major, ()) if major > before.catalogue.major else ("nothing that is known",)
    lines = [
        f"Airflow {old} to {new}: {', '.join(host.name for host in before.fleet.nodes())}",
        f"rehearsed with backup {backup.name} ({megabytes(backup.size)}): migrated in {found.seconds} s",
        *_differences(backup.rows, found.rows),
        f"DAGs: {found.imports}",
        *_listed("lines of DAGs to look at (ruff, AIR30):", found.notes),
        *_listed("settings:", found.settings),
        *(_with_downtime(before, new, found.seconds) if found.migrates else _rolling(before, new)),
        "what changes for people:",
        *(f"  - {line}" for line in people),
        "what has no way back:",
        f"  - {_no_way_back(before) if found.migrates else 'nothing: fab upgrade --back leaves the database as it is'}",
    ]
    return "\n".join(map(escape, lines))


def _with_downtime(before: Inputs, new: str, seconds: int) -> list[str]:
    return [
        f"expected downtime: about {seconds + STARTS} s once no task runs any more",
        "what will happen:",
        f"  1. schedulers stop; running and queued tasks finish (at most {before.fleet.deploy.drain_timeout} s)",
        "  2. all other units stop; the database is backed up",
        f"  3. the database is put aside as {_kept(before)}, and a copy of it migrated",
        f"  4. environments, settings and units of {new}; services start, each healthy before the next",
        "if anything fails on the way, or on Ctrl-C, the fleet goes back by itself to the old version and database",
    ]


def _rolling(before: Inputs, new: str) -> list[str]:
    return [
        "no migration; no downtime: both versions use the same revision of the database",
        "what will happen:",
        f"  1. environments, settings and units of {new}, while everything runs",
        "  2. services restart, one host of a role at a time, each healthy before the next; in Airflow 3, web servers "
        "first",
        f"  3. workers finish their tasks before they restart (at most {before.fleet.deploy.drain_timeout} s)",
        "if anything fails on the way, or on Ctrl-C, the fleet goes back by itself to the old version",
    ]


def _no_way_back(before: Inputs) -> str:
    return f"fab upgrade --back works until {_kept(before)} is dropped (fab upgrade.finish), and forgets what ran since"


def _kept(before: Inputs) -> str:
    return f"{before.fleet.database.name}_before_TIME"


def _listed(title: str, lines: Sequence[str]) -> list[str]:
    """Return lines with a title, the first ones of many; nothing without any."""
    more = [f"  and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return [title, *(f"  {line}" for line in lines[:MOST]), *more] if lines else []


def _differences(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    """Return the numbers of rows, and which tables have others than before."""
    same = [table for table, number in before.items() if after.get(table) == number]
    others = [
        f"{table} {number} to {after.get(table, 'gone')}" for table, number in before.items() if table not in same
    ]
    lines = [f"  the same number of rows: {', '.join(same) or 'none'}"]
    return [*lines, f"  other numbers of rows: {', '.join(others)}"] if others else lines
