"""A drill proves that a backup can be restored, finds out if it cannot, and nothing notices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet.conftest import Fleet, Sampler
from tests.fleet.test_backup import FOLDER, empty, listed, name_of, psql
from tests.real import wait

__all__ = ["empty"]

SCRATCH = "SELECT count(*) FROM (SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles) x"
SCRATCH += " WHERE datname = 'aerodrome_scratch'"


def left(fleet: Fleet) -> str:
    return psql(fleet, SCRATCH, "postgres")


def encrypted(fleet: Fleet) -> int:
    """Return how many encrypted values the metadata database has."""
    tables = ("connection WHERE is_encrypted", "connection WHERE is_extra_encrypted", "variable WHERE is_encrypted")
    return sum(int(psql(fleet, f"SELECT count(*) FROM {table}")) for table in tables)


@pytest.fixture
def stored(empty: Fleet) -> Iterator[Fleet]:
    """The fleet with a connection and a variable, encrypted."""
    empty.fab("airflow", "variables set drilled 'worth keeping'")
    add = "connections add drilled_db --conn-type postgres --conn-password hunter2 --conn-extra '{\"a\": 1}'"
    empty.fab("airflow", add)
    yield empty
    psql(empty, "DELETE FROM variable WHERE key = 'drilled'; DELETE FROM connection WHERE conn_id = 'drilled_db'")


def drilled(fleet: Fleet) -> dict[str, Any]:
    newest: dict[str, Any] = listed(fleet)[0]
    return newest


def test_a_backup_that_can_be_restored(stored: Fleet) -> None:
    stored.fab("backup")
    before, number = stored.started(), encrypted(stored)
    assert number >= 3
    for _ in range(2):
        with Sampler() as sampler:
            done = stored.fab("drill")
        assert f"sched1   note: {number} encrypted values can be read with the Fernet keys in use" in done.err
        assert drilled(stored)["drill"]["ok"] is True
        assert left(stored) == "0"
    assert not [each for each in sampler.argv if re.search("[0-9a-f]{48}", each) and "aerodrome_scratch" in each]
    assert re.search(r" ok, \d+ s ago ", stored.fab("backups").out)
    assert stored.started() == before
    stored.fab("status")
    assert "no changes" in stored.fab("deploy").err


def test_bytes_that_were_changed_are_refused_and_remembered(stored: Fleet) -> None:
    name = name_of(stored.fab("backup").err)
    stored.sh("db1", f"printf X | dd of={FOLDER}/{name}/dump bs=1 seek=5000 conv=notrunc status=none")
    failed = stored.fab("drill", f"--backup={name[-4:]}", code=1).err
    assert f"the dump of backup {name} has changed since it was made" in failed
    assert (drilled(stored)["error"], drilled(stored)["drill"]["ok"]) == (None, False)
    assert "FAILED" in stored.fab("backups").out
    assert left(stored) == "0"


def test_a_manifest_with_other_numbers_is_found(stored: Fleet) -> None:
    name = name_of(stored.fab("backup").err)
    stored.sh("db1", f'sed -i \'s/"slot_pool": 1/"slot_pool": 2/\' {FOLDER}/{name}/manifest.json')
    failed = stored.fab("drill", code=1).err
    assert "manifest: rows|slot_pool|2" in failed and "restored: rows|slot_pool|1" in failed
    assert (drilled(stored)["drill"]["ok"], left(stored)) == (False, "0")


def test_keys_that_do_not_fit_are_found(stored: Fleet) -> None:
    stored.fab("backup")
    path = "/etc/default/airflow-scheduler"
    stored.sh(
        "sched1", f"cp -p {path} {path}.aside; sed -i 's/^\\(AIRFLOW__CORE__FERNET_KEY=.\\?\\)...../\\1AAAAA/' {path}"
    )
    try:
        failed = stored.fab("drill", code=1).err
    finally:
        stored.sh("sched1", f"mv {path}.aside {path}")
    assert f"{encrypted(stored)} of {encrypted(stored)} encrypted values cannot be read" in failed
    assert 'connection "drilled_db" (password)' in failed and 'variable "drilled" (val)' in failed
    assert (drilled(stored)["drill"]["ok"], left(stored)) == (False, "0")
    stored.fab("drill")
    assert drilled(stored)["drill"]["ok"] is True


def test_what_the_owner_has_put_into_the_database_is_not_run_by_a_superuser(stored: Fleet) -> None:
    """A constraint calls a function while the rows are copied, and the function looks who has logged in."""
    body = "BEGIN IF session_user = 'postgres' THEN RAISE EXCEPTION 'run by %', session_user; END IF; RETURN true; END"
    psql(
        stored,
        "SET ROLE airflow; CREATE FUNCTION public.looks(int) RETURNS boolean LANGUAGE plpgsql AS "
        f"$${body}$$; CREATE TABLE public.trap (n int); INSERT INTO public.trap VALUES (1); "
        "ALTER TABLE public.trap ADD CHECK (public.looks(n)) NOT VALID",
    )
    try:
        stored.fab("backup")
        stored.fab("drill")
    finally:
        psql(stored, "DROP TABLE public.trap; DROP FUNCTION public.looks(int)")


def test_a_drill_that_was_killed_is_cleared_away_by_the_next(stored: Fleet) -> None:
    stored.fab("backup")
    process = stored.start("drill")
    wait("a scratch database", lambda: left(stored) != "0", 60, 0.05)
    process.kill()
    process.communicate()
    stored.fab("drill")
    assert (drilled(stored)["drill"]["ok"], left(stored)) == (True, "0")


def test_a_part_of_the_fleet_and_names_that_do_not_fit(stored: Fleet) -> None:
    one, two = (name_of(stored.fab("backup").err) for _ in range(2))
    assert "this works with the whole fleet" in stored.fab("-H", "db1", "drill", code=1).err
    assert "there is no backup called nothing" in stored.fab("drill", "--backup=nothing", code=1).err
    assert f"T may be {two}, {one}" in stored.fab("drill", "--backup=T", code=1).err
