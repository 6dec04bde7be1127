"""Backups, before any host is reached, or with one that is down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tasks.conftest import ONE, Fab


@pytest.mark.parametrize(
    "command",
    [("drill",), ("restore", "x")],
)
def test_a_database_that_is_managed_elsewhere_is_refused_in_one_sentence(
    hosts: Path, fab: Fab, command: tuple[str, ...]
) -> None:
    hosts.write_text(
        ONE.replace("database: [one], ", "") + "database: {managed: false, host: 192.0.2.1, password: x}\n"
    )
    done = fab(*command)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"error: {hosts}: database.managed is false, so whoever manages the database has to restore it\n"
        "  → fab backups.download brings a backup here: docs/backup.md says how pg_restore takes it\n"
    )


def test_a_host_that_is_down_has_backups_that_nobody_knows(fab: Fab) -> None:
    done = fab("backups", "--json")
    assert done.code == 1
    (row,) = json.loads(done.out)
    assert (row["host"], row["name"]) == ("one", None) and row["error"]
    assert "CANNOT BE USED" in fab("backups").out
    for command in (("drill",), ("restore", "x", "--yes"), ("backups.download", "copies")):
        done = fab(*command)
        assert done.code == 1 and "error: the backups cannot be read: " in done.err
    assert fab("backups.prune", "--yes").code == 1


def test_a_restore_names_its_backup(fab: Fab) -> None:
    assert fab("restore").code != 0


@pytest.mark.parametrize(
    "folder, problem",
    [
        ("backups", "not an absolute, plain path"),
        ("/srv/a b", "not an absolute, plain path"),
        ("/srv/../etc", "not an absolute, plain path"),
        ("/etc", "/etc belongs to the system, as does everything in /etc"),
        ("/var/lib/aerodrome", "/var/lib/aerodrome belongs to the system, as does everything in /var/lib/aerodrome"),
    ],
)
def test_a_directory_that_can_hold_no_backup_is_refused_before_any_host_is_reached(
    fab: Fab, folder: str, problem: str
) -> None:
    done = fab("backup", f"--to={folder}")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: --to: {folder}: {problem}\n  → use a directory of its own, such as /srv/backups\n"
