"""Scheduled backups: what is on the host, and how old the newest backup may be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.components.scheduled import BackupAge, schedule
from aerodrome.fleet.model import Backup
from aerodrome.resources.files import File
from aerodrome.resources.scheduled import BackupFolder, NoTimer, Timer
from tests.unit.make import HOSTS, fleet, inputs

PATHS = (
    "/etc/systemd/system/aerodrome-backup-airflow.timer",
    "/etc/systemd/system/aerodrome-backup-airflow.service",
    "/var/lib/aerodrome/backup-airflow.sh",
)
GIVEN = inputs(replace(fleet(), backup=Backup(schedule="03:00")))
NOW = 1796094000  # 2026-12-01 03:00:00 UTC
STATE = "LoadState=loaded\nActiveState=inactive\n"


def test_no_schedule_no_units() -> None:
    (gone,) = schedule(inputs()).resources
    assert gone == NoTimer("aerodrome-backup-airflow.timer", "aerodrome-backup-airflow.service", PATHS)


def test_the_units_of_a_schedule() -> None:
    folder, script, service, timer, waits = schedule(GIVEN).resources
    assert isinstance(folder, BackupFolder) and waits == Timer("aerodrome-backup-airflow.timer")
    assert isinstance(script, File) and isinstance(service, File) and isinstance(timer, File)
    assert (script.path, service.path, timer.path) == PATHS[::-1][:1] + (PATHS[1], PATHS[0])
    assert script.mode == 0o700 and '"airflow": "3.3.2"' in script.content
    assert "ExecStart=/bin/sh /var/lib/aerodrome/backup-airflow.sh\nTimeoutStartSec=3600\n" in service.content
    assert "ReadWritePaths=/var/lib/aerodrome/backups\n" in service.content
    assert "OnCalendar=*-*-* 03:00:00\n" in timer.content and service.reload and timer.reload


@pytest.mark.parametrize(
    "since, newest, state, verdict, detail",
    [
        (NOW - 90000, "20261201T000000Z-1f3a", STATE, "ok", "the newest backup is 3 h old"),
        (NOW - 90000, "20261130T005900Z-1f3a", STATE, "failed", "the newest backup is 26 h old: fab backup makes one"),
        (NOW - 60, "none", STATE, "ok", "there is no backup yet; the first is due at 03:00"),
        (NOW - 100000, "none", STATE, "failed", "there is no backup: fab backup makes one"),
        (NOW - 100000, "x\x1b", STATE, "failed", "there is no backup: fab backup makes one"),
        (0, "none", STATE, "failed", "there is no schedule on the host yet: fab deploy"),
        (
            NOW,
            "20261201T000000Z-1f3a",
            "ActiveState=failed\n",
            "failed",
            "the last scheduled backup failed: journalctl -u aerodrome-backup-airflow.service",
        ),
    ],
)
def test_how_old_the_newest_may_be(since: int, newest: str, state: str, verdict: str, detail: str) -> None:
    (row,) = BackupAge(GIVEN, HOSTS["db1"]).judge(f"{NOW}\n{since}\n{newest}\n{state}")
    assert (row.role, row.verdict, row.detail, row.host, row.unit) == (
        "backup", verdict, detail, "db1", "aerodrome-backup-airflow.service"
    )  # fmt: skip


def test_an_answer_that_makes_no_sense_is_not_healthy() -> None:
    for answer in ("", "x\ny\nz", f"{NOW}"):
        (row,) = BackupAge(GIVEN, HOSTS["db1"]).judge(answer)
        assert not row.ok
    (down,) = BackupAge(GIVEN, HOSTS["db1"]).unknown("is down")
    assert (down.verdict, down.detail) == ("failed", "is down")
