"""Back up a large metadata database, and restore it beside itself: `fab backup`, `fab drill`, and PostgreSQL's own."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from benchmarks.measure import Command, Failed, by_turns, ratios
from benchmarks.practice import PROJECT, Practice
from benchmarks.report import Costs, Goal, Section, side_by_side

HOST = "db1"
FOLDER, BARE = "/var/lib/aerodrome/backups", "/srv/bare"
ROWS = 1_500_000  # log entries, which are most of what an old fleet's database holds
# Half of each entry can hardly be compressed.
FILL = f"""INSERT INTO log (dttm, event, owner, extra)
SELECT now() - g * interval '1 s', 'cli_task_run', 'airflow', md5(g::text) || md5((g + 1)::text) || repeat('x', 64)
FROM generate_series(1, {ROWS}) g"""
DUMP = f"umask 077; mkdir -p {BARE}; runuser -u postgres -- pg_dump -Fc airflow >{BARE}/dump"
RESTORE = f"""set -e
runuser -u postgres -- createdb -T template0 -E UTF8 bare
runuser -u postgres -- pg_restore -d bare <{BARE}/dump
runuser -u postgres -- dropdb bare"""


def backup(fleet: Practice, rounds: int) -> Iterator[Section]:
    """Measure both in turn on a deployed fleet whose database has been filled, and empty it again."""
    _psql(fleet, FILL)
    _psql(fleet, "VACUUM ANALYZE log")
    try:
        yield from _measure(fleet, rounds)
    finally:
        _psql(fleet, "TRUNCATE log")
        fleet.lab.run(HOST, f"rm -rf {FOLDER} {BARE}")


def _measure(fleet: Practice, rounds: int) -> Iterator[Section]:
    size = int(_psql(fleet, "SELECT pg_database_size('airflow') >> 20"))
    note = f"A metadata database of {size} MB, on its own host."
    made = by_turns({"fab backup": fleet.fab("backup"), "pg_dump": _there(fleet, DUMP)}, rounds)
    yield side_by_side("Backup", note, made, "pg_dump", (_goal("fab backup", "pg_dump", made),))
    ways = {"fab drill": fleet.fab("drill"), "pg_restore": _there(fleet, RESTORE)}
    restored = by_turns(ways, rounds)
    note += " The drill also compares digests and rows, and decrypts every secret."
    yield side_by_side("Restore", note, restored, "pg_restore", (_goal("fab drill", "pg_restore", restored),))


def _goal(ours: str, bare: str, costs: Costs) -> Goal:
    return Goal(f"{ours} / {bare}", ratios(costs[ours], costs[bare]), 1.1)


def _there(fleet: Practice, script: str) -> Command:
    """Return a script on the database's host, which an operator starts over ssh."""
    argv = ("ssh", "-F", str(fleet.folder / "ssh_config"), HOST, f"cd /; {script}")
    return Command(argv, PROJECT, dict(os.environ))


def _psql(fleet: Practice, statement: str) -> str:
    done = fleet.lab.run(HOST, f"cd /; runuser -u postgres -- psql -XAtqd airflow -c {shlex.quote(statement)}")
    if done.returncode:
        raise Failed(f"{HOST}: {statement}: {done.stderr.strip()}")
    return done.stdout.strip()
