"""Backups of the metadata database: whole or not there, whatever happens while one is made."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.conftest import Fleet
from tests.real import wait

FOLDER = "/var/lib/aerodrome/backups"


def psql(fleet: Fleet, statement: str, database: str = "airflow") -> str:
    return fleet.sh("db1", f"runuser -u postgres -- psql -XAtqd {database} -c {shlex.quote(statement)}").strip()


def listed(fleet: Fleet, code: int = 0) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(fleet.fab("backups", "--json", code=code).out)
    return found


def there(fleet: Fleet, folder: str = FOLDER) -> list[str]:
    return fleet.sh("db1", f"ls -A {folder} 2>/dev/null || true").split()


def name_of(text: str) -> str:
    found = re.search(r"back up database airflow as (\S+)", text)
    assert found, text
    return found[1]


@pytest.fixture
def empty(fleet: Fleet) -> Iterator[Fleet]:
    """The fleet without a backup, and two of them kept."""
    fleet.sh("db1", f"rm -rf {FOLDER}")
    fleet.hosts_yaml.write_text(f"{fleet.hosts_yaml.read_text()}\nbackup: {{keep: 2}}\n")
    yield fleet
    fleet.sh("db1", f"rm -rf {FOLDER}")


@pytest.fixture
def large(empty: Fleet) -> Iterator[Fleet]:
    """The fleet with 40 MB in its metadata database that cannot be compressed."""
    psql(empty, "CREATE TABLE IF NOT EXISTS noise (bytes bytea); ALTER TABLE noise ALTER bytes SET STORAGE EXTERNAL")
    some = "SELECT decode(string_agg(md5(random()::text || n), ''), 'hex') FROM generate_series(1, 4096) n"
    psql(empty, f"INSERT INTO noise SELECT ({some} WHERE g > 0) FROM generate_series(1, 640) g")
    yield empty
    psql(empty, "DROP TABLE noise")


def test_one_and_another_and_only_so_many_are_kept(empty: Fleet) -> None:
    before = empty.started()
    assert "there is no backup: fab backup makes one" in empty.fab("backups").err
    names = []
    for number in (1, 2, 3):
        done = empty.fab("backup")
        names.append(name_of(done.err))
        assert ("remove the old backup" in done.err) == (number == 3)
    assert there(empty) == names[1:]
    assert empty.sh("db1", f"stat -c '%U %a' {FOLDER} {FOLDER}/*/*").splitlines() == ["root 700", *["root 600"] * 4]

    newest, older = listed(empty)
    assert [newest["name"], older["name"]] == names[:0:-1]
    assert (newest["airflow"], newest["drill"], newest["error"]) == ("3.3.2", None, None)
    assert newest["heads"] == ["d2f4e1b3c5a7", "02ca36b0235b"]
    assert newest["rows"]["dag"] == int(psql(empty, "SELECT count(*) FROM dag"))
    (key,) = newest["fernet_keys"]
    assert re.fullmatch("[0-9a-f]{16}", key)
    assert newest["bytes"] == int(empty.sh("db1", f"stat -c %s {FOLDER}/{names[2]}/dump"))
    lines = empty.fab("backups").out.splitlines()
    assert lines[1].startswith(names[2]) and lines[1].rstrip().endswith("whole")
    assert empty.started() == before
    assert "backup" in empty.fab("history").out


def test_a_copy_comes_here_and_goes_back(empty: Fleet, tmp_path: Path) -> None:
    done = empty.fab("backup", f"--download={tmp_path}/copies")
    name = name_of(done.err)
    copy = tmp_path / "copies" / name
    assert f"db1: copying backup {name} (" in done.err and f"{copy} is whole\n" in done.err
    there_is = empty.sh("db1", f"cd {FOLDER}/{name}; sha256sum dump manifest.json").splitlines()
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in copy.iterdir()}
    assert {line.split()[1]: line.split()[0] for line in there_is} == digests
    assert f"error: {copy} is already there" in empty.fab("backups.download", f"{tmp_path}/copies", code=1).err
    empty.fab("backups.download", f"{tmp_path}/more", f"--backup={name[-4:]}")
    assert (tmp_path / "more" / name / "dump").read_bytes() == (copy / "dump").read_bytes()

    # What changes on the way, or on the host, is refused, and nothing of it stays here.
    empty.sh("db1", f"printf x | dd of={FOLDER}/{name}/dump bs=1 seek=100 conv=notrunc status=none")
    refused = empty.fab("backups.download", f"{tmp_path}/bad", code=1).err
    assert f"error: what arrived is not backup {name}: its SHA-256 is another one" in refused
    assert list((tmp_path / "bad").iterdir()) == []


def test_one_goes_to_another_directory_and_no_other_is_removed(empty: Fleet) -> None:
    first, second = (name_of(empty.fab("backup").err) for _ in range(2))
    try:
        names = [name_of(empty.fab("backup", "--to=/srv/elsewhere").err) for _ in range(3)]
        assert (there(empty, "/srv/elsewhere"), there(empty)) == (names, [first, second])
        assert empty.sh("db1", "stat -c '%U %a' /srv/elsewhere").strip() == "root 700"
    finally:
        empty.sh("db1", "rm -rf /srv/elsewhere")


def test_a_dump_that_is_cut_and_a_manifest_that_is_broken_are_told(empty: Fleet) -> None:
    first, second = (name_of(empty.fab("backup").err) for _ in range(2))
    empty.sh("db1", f"truncate -s 100 {FOLDER}/{first}/dump; echo '[[[' >{FOLDER}/{second}/manifest.json")
    errors = {each["name"]: each["error"] for each in listed(empty, code=1)}
    assert errors == {first: "its dump has another size", second: "its manifest cannot be read"}


def test_hostile_tables_are_not_read_as_a_superuser(empty: Fleet) -> None:
    """DAG code may own the database: a view, a function and a setting of its own are not run by postgres."""
    evil = (
        "SET ROLE airflow; CREATE FUNCTION public.format(text, name, name) RETURNS text LANGUAGE sql AS 'SELECT 1/0';"
    )
    evil += "CREATE TABLE seen (who text); CREATE FUNCTION spy() RETURNS bigint LANGUAGE plpgsql AS "
    evil += "'BEGIN INSERT INTO public.seen SELECT current_user; RETURN 1; END'; ALTER TABLE xcom RENAME TO xcom_aside;"
    evil += "CREATE VIEW xcom AS SELECT spy(); ALTER DATABASE airflow SET search_path = public, pg_catalog"
    psql(empty, evil)
    try:
        empty.fab("backup")
        assert psql(empty, "SELECT count(*) FROM public.seen") == "0"
        assert "xcom" not in listed(empty)[0]["rows"]
    finally:
        undo = "SET search_path = pg_catalog; ALTER DATABASE airflow RESET ALL; DROP VIEW public.xcom; "
        undo += "DROP FUNCTION public.format(text, name, name); "
        undo += "ALTER TABLE public.xcom_aside RENAME TO xcom; DROP FUNCTION public.spy()"
        psql(empty, f"{undo}; DROP TABLE public.seen")


@pytest.fixture
def small_disk(large: Fleet) -> Iterator[str]:
    folder = "/srv/small"
    large.sh("db1", f"mkdir -p {folder}")
    yield folder
    large.sh("db1", f"while umount {folder} 2>/dev/null; do :; done; rmdir {folder}")


def test_a_disk_that_is_full_before_or_during_the_dump(large: Fleet, small_disk: str) -> None:
    large.change("backup: {keep: 2}", f"backup: {{keep: 2, directory: {small_disk}}}")
    large.sh("db1", f"mount -t tmpfs -o size=16m,mode=0700 none {small_disk}")
    refused = large.fab("backup", code=1).err
    assert f"db1: backup: not enough space for a backup in {small_disk}: 16.0 MB are free" in refused
    # Larger than the estimate (half of the database, and 32 MB), smaller than the dump with what comes meanwhile.
    size = int(psql(large, "SELECT pg_database_size('airflow')"))
    large.sh("db1", f"umount {small_disk}; mount -t tmpfs -o size={size // 2 + (34 << 20)},mode=0700 none {small_disk}")
    filler = f'while [ -z "$(ls -A {small_disk})" ]; do sleep 0.01; done; head -c 50M /dev/zero >{small_disk}/filler'
    large.sh("db1", f"systemd-run -q --collect --unit=filler sh -c {shlex.quote(filler)}")
    failed = large.fab("backup", code=1).err
    assert "could not back up database airflow" in failed
    assert "No space left on device" in failed
    assert there(large, small_disk) == ["filler"]
    large.sh("db1", f"rm {small_disk}/filler")
    large.fab("backup")
    assert len(there(large, small_disk)) == 1


def test_a_directory_that_others_can_change_is_refused(empty: Fleet) -> None:
    empty.sh("db1", "mkdir -m 777 -p /srv/open")
    empty.change("backup: {keep: 2}", "backup: {keep: 2, directory: /srv/open/backups}")
    refused = empty.fab("backup", code=1).err
    assert "db1: backup: backups cannot be kept in /srv/open/backups: /srv/open is not a directory that only" in refused
    empty.sh("db1", "rmdir /srv/open")


def test_a_killed_controller_and_a_killed_backup_leave_nothing_that_is_listed(large: Fleet) -> None:
    process = large.start("backup")
    wait("a dump is being made", lambda: any(each.startswith(".new-") for each in there(large)), 60, 0.02)
    process.kill()
    process.communicate()
    time.sleep(0.1)
    name = name_of(large.fab("backup").err)
    rows = listed(large)
    assert name in [row["name"] for row in rows] and all(row["error"] is None for row in rows)
    assert not [each for each in there(large) if each.startswith(".")]

    process = large.start("backup")
    wait("a dump is being made", lambda: any(each.startswith(".new-") for each in there(large)), 60, 0.02)
    large.sh("db1", "kill -9 $(ps -eo pid,args | awk '/[p]sql -XAtq/ {print $1}') || true")
    process.communicate()
    left = [each for each in there(large) if each.startswith(".")]
    large.sh("db1", f"mkdir -p {FOLDER}/.new-20261130T005031Z-00ff")
    large.fab("backup")
    assert left == [] or there(large) != left
    assert not [each for each in there(large) if each.startswith(".")]


UNIT = "aerodrome-backup-airflow"
LEFT = f"ls {UNIT}.service {UNIT}.timer /var/lib/aerodrome/backup-airflow.sh 2>/dev/null || true"


@pytest.fixture
def scheduled(large: Fleet) -> Iterator[Fleet]:
    """The fleet whose database host backs itself up; afterwards nothing is left of that."""
    large.change("backup: {keep: 2}", 'backup: {keep: 2, schedule: "03:00"}')
    before = large.started()
    try:
        assert f"start {UNIT}.timer" in large.fab("deploy").err
        large.nothing_to_do("deploy")
        yield large
    finally:
        large.change('backup: {keep: 2, schedule: "03:00"}', "backup: {keep: 2}")
        large.fab("deploy")
    large.nothing_to_do("deploy")
    assert large.started() == before
    assert large.sh("db1", f"cd /etc/systemd/system; {LEFT}") == ""


def test_the_host_backs_itself_up_on_schedule(scheduled: Fleet) -> None:
    due = scheduled.sh("db1", f"systemctl show -p NextElapseUSecRealtime --value {UNIT}.timer")
    assert due.split()[2] == "03:00:00"
    row = backup_row(scheduled)
    assert (row["healthy"], row["detail"]) == (True, "there is no backup yet; the first is due at 03:00")
    for _ in range(3):
        scheduled.sh("db1", f"systemctl start {UNIT}.service")
        time.sleep(1)
    newest, older = listed(scheduled)
    assert (newest["error"], newest["airflow"], newest["rows"]["slot_pool"]) == (None, "3.3.2", 1)
    assert older["name"] < newest["name"]
    attributes = scheduled.sh("db1", f"stat -c '%U %a' {FOLDER} {FOLDER}/*/dump").split()
    assert attributes == ["root", "700", *["root", "600"] * 2]
    scheduled.fab("drill")
    assert listed(scheduled)[0]["drill"]["ok"] is True
    assert re.fullmatch(r"the newest backup is \d+ s old", backup_row(scheduled)["detail"])
    exposure = scheduled.sh("db1", f"systemd-analyze security --no-pager {UNIT}.service | tail -n 1")
    assert float(exposure.split(":")[1].split()[0]) < 3.5


def test_backups_that_are_old_or_fail_are_seen(scheduled: Fleet) -> None:
    scheduled.fab("backup")
    for name in there(scheduled):  # a month later
        old = f"20261101{name[8:]}"
        moves = f"mv {FOLDER}/{name} {FOLDER}/{old}; sed -i s/{name}/{old}/ {FOLDER}/{old}/manifest.json"
        scheduled.sh("db1", moves)
    row = backup_row(scheduled, code=1)
    assert not row["healthy"] and "days old: fab backup makes one" in row["detail"]
    program = "/usr/lib/postgresql/15/bin/pg_dump"
    scheduled.sh("db1", f"mv {program} {program}.aside")
    try:
        assert scheduled.lab.run("db1", f"systemctl start {UNIT}.service").returncode != 0
        assert "the last scheduled backup failed" in backup_row(scheduled, code=1)["detail"]
        assert not [each for each in there(scheduled) if each.startswith(".")]
        assert "could not back up database airflow" in scheduled.fab("backup", code=1).err
    finally:
        scheduled.sh("db1", f"mv {program}.aside {program}")
    scheduled.sh("db1", f"systemctl start {UNIT}.service")
    assert backup_row(scheduled)["healthy"]


def backup_row(fleet: Fleet, code: int = 0) -> dict[str, Any]:
    rows = json.loads(fleet.fab("status", "--json", code=code).out)
    (row,) = [row for row in rows if row["role"] == "backup"]
    return dict(row)
