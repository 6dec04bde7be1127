"""The page before an upgrade, whole, for one that stops everything and for one that stops nothing."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.checks.backups import Backup
from aerodrome.report.upgrade import Rehearsal, upgrade_page
from tests.unit.make import fleet, inputs

BACKUP = Backup("backup", "ok", "", host="db1", name="20261201T040850Z-1c08", size=34_000_000, rows={"dag_run": 7})
FOUND = Rehearsal(12, {"dag_run": 7}, "3 DAGs with 3.3.1, 3 with 3.3.2; no new import errors", migrates=False)


def page(before: str, found: Rehearsal) -> list[str]:
    return upgrade_page(inputs(fleet(version=before)), inputs(fleet(version="3.3.2")), BACKUP, found).splitlines()


def test_without_a_migration_nothing_stops() -> None:
    assert page("3.3.1", FOUND) == [
        "Airflow 3.3.1 to 3.3.2: s1, web1, w1, w2",
        "rehearsed with backup 20261201T040850Z-1c08 (32.4 MB): migrated in 12 s",
        "  the same number of rows: dag_run",
        "DAGs: 3 DAGs with 3.3.1, 3 with 3.3.2; no new import errors",
        "no migration; no downtime: both versions use the same revision of the database",
        "what will happen:",
        "  1. environments, settings and units of 3.3.2, while everything runs",
        "  2. services restart, one host of a role at a time, each healthy before the next; in Airflow 3, web servers "
        "first",
        "  3. workers finish their tasks before they restart (at most 600 s)",
        "if anything fails on the way, or on Ctrl-C, the fleet goes back by itself to the old version",
        "what changes for people:",
        "  - nothing that is known",
        "what has no way back:",
        "  - nothing: fab upgrade --back leaves the database as it is",
    ]


def test_with_a_migration_everything_stops() -> None:
    lines = page("2.11.2", replace(FOUND, migrates=True))
    assert "expected downtime: about 42 s once no task runs any more" in lines
    assert "  1. schedulers stop; running and queued tasks finish (at most 600 s)" in lines
    assert lines[-1] == (
        "  - fab upgrade --back works until airflow_before_TIME is dropped (fab upgrade.finish), and forgets what ran "
        "since"
    )
    assert not any("no migration" in line for line in lines)
