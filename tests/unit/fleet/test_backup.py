"""The section backup: where backups are kept, how many, and when they are made."""

from __future__ import annotations

import pytest

from aerodrome.fleet.model import Backup
from tests.unit.fleet.hosts_yaml import SMALL, fleet, problems


def test_where_backups_are_kept_and_how_many() -> None:
    assert fleet(SMALL).backup == Backup(7, "/var/lib/aerodrome/backups")
    assert fleet(SMALL + "backup: {keep: 30, directory: /srv/backups}").backup == Backup(30, "/srv/backups")


@pytest.mark.parametrize(
    "added, problem",
    [
        ("backup: {keep: 0}", "backup.keep: 0 is not valid; expected a number from 1 to 1000"),
        ("backup: {directory: backups}", "backup.directory: 'backups' is not valid; expected an absolute path of "
         "letters, digits and . _ + -, to a directory for backups"),
        ("backup: {directory: /var/lib/postgresql}", "backup.directory: /var/lib/postgresql belongs to the system, as "
         "does everything in /var/lib/postgresql; use a directory of its own, such as /var/lib/aerodrome/backups"),
        ("backup: {directory: /srv}", "backup.directory: /srv is shared with other software; use a directory of its "
         "own, such as /var/lib/aerodrome/backups"),
        ("backup: {directory: /usr/local/airflow/logs}", "backup.directory: /usr/local/airflow is AIRFLOW_HOME, parts "
         "of which belong to the service user; use another directory"),
        ("backup: {schedule: '24:00'}", "backup.schedule: '24:00' is not valid; expected a time of day in "
         "quotes, such as \"03:00\""),
        ("backup: {times: 3}", "backup.times: unknown key; known: keep, directory, schedule"),
    ],
)  # fmt: skip
def test_a_mistake_in_backup(added: str, problem: str) -> None:
    assert problems(SMALL + added) == [f"hosts.yaml:6: {problem}"]
