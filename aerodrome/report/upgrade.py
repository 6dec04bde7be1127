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


def upgrade_page(before: Inputs, after: Inputs, backup: Backup, found: Rehearsal) -> str:
    """Say what an upgrade is going to do, after its rehearsal."""
    old, new = before.fleet.airflow.version, after.fleet.airflow.version
    major, kept = after.catalogue.major, f"{before.fleet.database.name}_before_TIME"
    people = CHANGES.get(major, ()) if major > before.catalogue.major else ("nothing that is known",)
    lines = [
        f"Airflow {old} to {new}: {', '.join(host.name for host in before.fleet.nodes())}",
        f"rehearsed with backup {backup.name} ({megabytes(backup.size)}): migrated in {found.seconds} s",
        *_differences(backup.rows, found.rows),
        f"DAGs: {found.imports}",
        *_listed("lines of DAGs to look at (ruff, AIR30):", found.notes),
        *_listed("settings:", found.settings),
        f"expected downtime: about {found.seconds + STARTS} s once no task runs any more",
        "what will happen:",
        f"  1. schedulers stop; running and queued tasks finish (at most {before.fleet.deploy.drain_timeout} s)",
        "  2. all other units stop; the database is backed up",
        f"  3. the database is put aside as {kept}, and a copy of it migrated",
        f"  4. environments, settings and units of {new}; services start, each healthy before the next",
        "if anything fails on the way, or on Ctrl-C, the fleet goes back by itself to the old version and database",
        "what changes for people:",
        *(f"  - {line}" for line in people),
        "what has no way back:",
        f"  - fab upgrade --back works until {kept} is dropped (fab upgrade.finish), and forgets what ran since",
    ]
    return "\n".join(map(escape, lines))


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
