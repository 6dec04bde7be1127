"""A restore puts a backup in the place of the metadata database, or leaves all as it was."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.fleet.conftest import Fleet
from tests.fleet.test_backup import FOLDER, empty, listed, psql
from tests.fleet.test_drill import left
from tests.real import wait

__all__ = ["empty"]

# The order of grants depends on that in which they were made, and says nothing.
GRANTS = "(SELECT array_agg(item::text ORDER BY item::text) FROM unnest(datacl) item)"
OWN = f"SELECT {GRANTS}, setconfig FROM pg_database d LEFT JOIN pg_db_role_setting ON setdatabase = d.oid"
OWN += " WHERE datname = 'airflow'"
KEPT = "SELECT datname FROM pg_database WHERE datname LIKE 'airflow\\_before\\_%' ORDER BY 1"


def variable(fleet: Fleet, key: str) -> str:
    """Return the encrypted value of a variable; empty if it is not there."""
    return psql(fleet, f"SELECT val FROM variable WHERE key = '{key}'")


def kept(fleet: Fleet) -> list[str]:
    return psql(fleet, KEPT, "postgres").split()


@pytest.fixture
def backed_up(empty: Fleet) -> Iterator[Fleet]:
    """The fleet with a backup that has a variable and a connection, which are deleted, and another variable since."""
    clear = "DELETE FROM variable WHERE key IN ('before', 'since'); DELETE FROM connection WHERE conn_id = 'saved'"
    psql(empty, clear)
    empty.fab("airflow", "variables set before 'was here'")
    empty.fab("airflow", "connections add saved --conn-type http --conn-host example.com --conn-password hunter2")
    empty.fab("backup")
    psql(empty, clear)
    empty.fab("airflow", "variables set since new")
    yield empty
    empty.fab("start")
    psql(empty, clear)
    empty.fab("backups.prune", "--yes")
    assert kept(empty) == []


@pytest.fixture
def reader(backed_up: Fleet) -> Iterator[None]:
    """Another role that may connect to the metadata database, which has a setting of its own."""
    clear = "ALTER DATABASE airflow RESET ALL; DO $$ BEGIN REVOKE ALL ON DATABASE airflow FROM reader; "
    clear += "EXCEPTION WHEN undefined_object THEN NULL; END $$"
    psql(backed_up, clear, "postgres")
    backed_up.fab("backups.prune", "--yes")
    psql(backed_up, "DROP ROLE IF EXISTS reader", "postgres")
    psql(backed_up, "CREATE ROLE reader; GRANT CONNECT ON DATABASE airflow TO reader WITH GRANT OPTION", "postgres")
    psql(backed_up, "ALTER DATABASE airflow SET search_path = '$user', public", "postgres")
    yield
    psql(backed_up, clear, "postgres")
    backed_up.fab("backups.prune", "--yes")
    psql(backed_up, "DROP ROLE reader", "postgres")


def test_what_was_deleted_is_back_and_the_database_of_before_is_kept(backed_up: Fleet, reader: None) -> None:
    own = psql(backed_up, OWN, "postgres")
    asked = backed_up.fab("restore", listed(backed_up)[0]["name"], code=1)
    assert "4. start all services" in asked.err and "check the plan above, then add --yes" in asked.err
    assert (kept(backed_up), variable(backed_up, "since") != "") == ([], True)

    for number in (1, 2):
        done = backed_up.fab("restore", listed(backed_up)[0]["name"], "--yes")
        assert re.search(r"note: \d+ encrypted values can be read", done.err)
        assert backed_up.fab("airflow", "variables get before").out.splitlines()[-1] == "was here"
        assert "hunter2" in backed_up.fab("airflow", "connections get saved -o json").out
        assert variable(backed_up, "since") == ""
        assert psql(backed_up, OWN, "postgres") == own
        assert (len(kept(backed_up)), left(backed_up)) == (number, "0")
        backed_up.fab("status")
        assert "no changes" in backed_up.fab("deploy").err

    first, second = kept(backed_up)
    assert backed_up.lab.run("db1", f"runuser -u postgres -- psql -d {first} -c ''").returncode != 0
    psql(backed_up, f"ALTER DATABASE {first} ALLOW_CONNECTIONS true", "postgres")
    assert psql(backed_up, "SELECT key FROM variable WHERE key IN ('before', 'since')", first) == "since"
    pruned = backed_up.fab("backups.prune", "--yes")
    assert f"drop database {first}" in pruned.err and f"drop database {second}" in pruned.err
    backed_up.nothing_to_do("backups.prune", "--yes")


def test_if_a_service_does_not_start_all_is_as_before(backed_up: Fleet) -> None:
    dropin = "/etc/systemd/system/airflow@webserver.service.d/99-once.conf"
    fails = "ExecStartPre=+/bin/sh -c '[ ! -e /run/once ] || { rm /run/once; exit 1; }'"
    backed_up.sh("web1", f"printf '[Service]\\n%s\\n' \"{fails}\" >{dropin}; systemctl daemon-reload; touch /run/once")
    # A client that is always there keeps nobody from it.
    again = "while :; do runuser -u postgres -- psql -d airflow -c 'SELECT pg_sleep(60)'; done"
    backed_up.sh("db1", f"systemd-run -q --collect --unit=always-there sh -c {shlex.quote(again)}")
    try:
        failed = backed_up.fab("restore", listed(backed_up)[0]["name"], "--yes", code=1).err
    finally:
        backed_up.sh("db1", "systemctl stop always-there")
        backed_up.sh("web1", f"rm -f {dropin} /run/once; systemctl daemon-reload")
    assert "use database airflow as it was before" in failed
    assert "could not start airflow@webserver.service" in failed
    assert (variable(backed_up, "before"), variable(backed_up, "since") != "") == ("", True)
    assert (kept(backed_up), left(backed_up)) == ([], "0")
    wait("all is healthy", lambda: healthy(backed_up), 120)
    assert backed_up.fab("airflow", "variables get since").out.splitlines()[-1] == "new"
    assert json.loads(backed_up.fab("lock.status", "--json").out) == {"state": "free"}
    assert "no changes" in backed_up.fab("deploy").err


def healthy(fleet: Fleet) -> bool:
    process = fleet.start("status")
    process.communicate()
    return process.returncode == 0


def test_another_version_is_refused_before_anything_is_done(backed_up: Fleet) -> None:
    before = backed_up.started()
    name = listed(backed_up)[0]["name"]
    backed_up.sh("db1", f'sed -i \'s/"airflow": "3.3.2"/"airflow": "2.11.2"/\' {FOLDER}/{name}/manifest.json')
    refused = backed_up.fab("restore", name, "--yes", code=1).err
    assert f"backup {name} is of Airflow 2.11.2, but 3.3.2 is in use" in refused
    backed_up.sh("db1", f"printf X | dd of={FOLDER}/{name}/dump bs=1 seek=5000 conv=notrunc status=none")
    backed_up.sh("db1", f'sed -i \'s/"airflow": "2.11.2"/"airflow": "3.3.2"/\' {FOLDER}/{name}/manifest.json')
    assert "has changed since it was made" in backed_up.fab("restore", name, "--yes", code=1).err
    assert (backed_up.started(), kept(backed_up), left(backed_up)) == (before, [], "0")


@pytest.mark.parametrize(
    "at", ["restore.copy", "stop.roles.triggerer", "restore.use", "roles.scheduler +start", "roles.worker +start"]
)
def test_a_killed_restore_is_finished_by_the_next(backed_up: Fleet, at: str) -> None:
    name = listed(backed_up)[0]["name"]
    process = backed_up.start("restore", name, "--yes")
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(rf"\s{at}", line):
            break
    process.kill()
    process.communicate()
    backed_up.fab("restore", name, "--yes")
    assert backed_up.fab("airflow", "variables get before").out.splitlines()[-1] == "was here"
    assert variable(backed_up, "since") == ""
    assert len(kept(backed_up)) in (1, 2)
    assert left(backed_up) == "0"
    backed_up.fab("status")
    assert "no changes" in backed_up.fab("deploy").err
