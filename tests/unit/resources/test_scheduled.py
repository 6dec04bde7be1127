"""Backups that the database's host makes by itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.backup import MAKE, About, Place
from aerodrome.resources.postgres import sql
from aerodrome.resources.scheduled import BackupFolder, NoTimer, Timer, script
from tests.unit.make import Shell, only_change
from tests.unit.resources.test_backup import ASK, PROGRAMS

PLACE = Place("/var/lib/aerodrome/backups")


def test_the_script_as_a_whole() -> None:
    assert (
        script(PLACE, "airflow", About("3.3.2"), 7)
        == f"""\
#!/bin/sh
# Written by Aerodrome: makes a backup of the metadata database, and removes old ones (hosts.yaml, backup).
set -eu
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
cd /
[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; umask 077
exec 9>>/run/aerodrome/lock
flock -s -w 900 9 || {{ echo 'a run has been at work on this host for 15 minutes'; exit 75; }}
folder=/var/lib/aerodrome/backups
database=airflow
about='"airflow": "3.3.2", "fernet": [], "broker": ""'
keep=7
unsafe=$({ASK}
)
[ -z "$unsafe" ] || {{ echo "only root may be able to change the directory of the backups: $unsafe"; exit 1; }}
name=$(date -u +%Y%m%dT%H%M%SZ)-$(head -c 2 /dev/urandom | od -An -tx1 | tr -d ' \\n')
size=$({sql("SELECT pg_database_size('airflow');")}
)
free=$(($(stat -f -c '%a * %S' "$folder")))
[ "$free" -ge $((size / 2 + 33554432)) ] || {{ echo "not enough space in $folder: $free bytes are free"; exit 1; }}
(
{MAKE}) 9<&-
cd "$folder"
ls -1d [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]T[0-9][0-9][0-9][0-9][0-9][0-9]Z-[0-9a-f][0-9a-f][0-9a-f][0-9a-f] \
| sort -r | tail -n +$((keep + 1)) | while IFS= read -r old; do
mv -T "$old" ".old-$old"
rm -rf ".old-$old"
echo "removed the old backup $old"
done
echo "made backup $name"
"""
    )


def run(sh: Shell, tmp_path: Path, keep: int = 2, program: str = "") -> subprocess.CompletedProcess[bytes]:
    text = script(Place(f"{tmp_path}/backups"), "airflow", About("3.3.2"), keep)
    # What is below /tmp is never safe.
    text = text.replace("/run/aerodrome", str(tmp_path / "run")).replace('[ -z "$unsafe" ]', "true")
    asks = "case $* in *PGDATABASE=*) ;; *) cat >/dev/null; echo 3000; exit ;; esac\n"
    return sh(
        text.replace("export LC_ALL=C PATH=", "OLD="), programs={"runuser": asks + (program or PROGRAMS["runuser"])}
    )


def test_it_makes_one_and_removes_the_oldest(sh: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for name in ("20261101T005031Z-1f3a", "20261102T005031Z-1f3a", ".new-20261103T005031Z-1f3a"):
        (folder / name).mkdir(parents=True)
    done = run(sh, tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    kept, new = sorted(each.name for each in folder.iterdir())
    assert done.stdout.decode().splitlines() == ["removed the old backup 20261101T005031Z-1f3a", f"made backup {new}"]
    assert kept == "20261102T005031Z-1f3a"
    assert json.loads((folder / new / "manifest.json").read_text())["name"] == new


def test_nothing_is_removed_if_the_dump_fails(sh: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    (folder / "20261101T005031Z-1f3a").mkdir(parents=True)
    done = run(sh, tmp_path, 1, "cat >/dev/null")
    assert (done.returncode, done.stdout) == (1, b"pg_dump failed\n")
    assert [each.name for each in folder.iterdir()] == ["20261101T005031Z-1f3a"]


def test_its_folder() -> None:
    folder = BackupFolder(PLACE)
    assert folder.changes(Seen("there\n")) == []
    assert only_change(folder, "").script == PLACE.make()
    with pytest.raises(AerodromeError, match="/srv is not a directory that only root can change"):
        folder.changes(Seen("unsafe /srv\nthere\n"))


WAITS = "UnitFileState=enabled\nActiveState=active\nNeedDaemonReload=no\n"


@pytest.mark.parametrize(
    "seen, changing, starts",
    [
        (WAITS, [], False),
        (WAITS, ["file /etc/systemd/system/airflow-backup.timer"], True),
        (WAITS, ["file /etc/systemd/system/airflow-backup.service"], False),
        (WAITS.replace("=active", "=inactive"), [], True),
        (WAITS.replace("=enabled", "=disabled"), [], True),
        (WAITS.replace("=no", "=yes"), [], True),
        ("", [], True),
    ],
)
def test_a_timer(seen: str, changing: list[str], starts: bool) -> None:
    found = Timer("airflow-backup.timer").changes(Seen(seen, frozenset(changing)))
    assert [each.script for each in found] == [
        "systemctl daemon-reload\nsystemctl enable -q airflow-backup.timer\nsystemctl restart airflow-backup.timer"
    ] * starts


def test_no_timer() -> None:
    gone = NoTimer("a.timer", "a.service", ("/etc/systemd/system/a.timer", "/x"))
    assert gone.changes(Seen("")) == []
    assert only_change(gone, "there\n").script == (
        "systemctl disable -q --now a.timer\nrm -f /etc/systemd/system/a.timer /x\nsystemctl daemon-reload\n"
        "systemctl reset-failed a.service 2>/dev/null || :"
    )
