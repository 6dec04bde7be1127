"""Migrations, of the real database and of a copy: in real shells, with a systemd-run of the test's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aerodrome.checks.kept_upgrade import Lost
from aerodrome.components.upgrade import (
    config,
    counted,
    for_rehearsal,
    lost_by_going_back,
    migrated,
    ready,
    rehearsed,
)
from aerodrome.core.check import Finding
from aerodrome.core.runbook import Action
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Backup, Database
from aerodrome.resources.python import Installed
from tests.unit.make import AWKWARD, HOSTS, Shell, fleet, inputs

RUN = "20261201T040850Z-1c08"
NEW = inputs(fleet(version="3.3.2"))
RUNS = (
    "systemd-run --quiet --pipe --wait --collect -p User=astro -p Group=astro "
    "-p EnvironmentFile=-/etc/default/airflow.local "
)


def script(step: Step, folder: Path | None = None) -> str:
    (action,) = step.resources
    assert isinstance(action, Action)
    text = action.change.script
    for place in ("/var/lib/aerodrome", "/run/aerodrome") if folder else ():
        text = text.replace(place, str(folder))
    return f"set -eu\n{text}\n"


def test_a_migration_runs_once_in_the_units_environment_and_is_recorded(tmp_path: Path, sh: Shell) -> None:
    text = script(migrated("2.11.2", NEW, RUN), tmp_path)
    assert f"{RUNS}-p EnvironmentFile=/etc/default/airflow -p EnvironmentFile=-/etc/default/airflow-scheduler " in text
    assert "/opt/aerodrome/airflow/venv/bin/airflow db migrate 2>&1" in text
    done = sh(text, programs={"systemd-run": "echo one; echo two >&2"})
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().startswith("@note: migrated in ")
    assert re.fullmatch(rf"{RUN} \d+\n", (tmp_path / "migrated").read_text())
    assert (tmp_path / "migrated.log").read_text() == "one\ntwo\n"
    assert oct((tmp_path / "migrated.log").stat().st_mode)[-3:] == "600"


def test_a_migration_that_fails_shows_its_last_lines_and_is_not_recorded(tmp_path: Path, sh: Shell) -> None:
    fails = "echo '@note: not one of ours'; echo 'errors.Exists: it is there'; seq 3; printf '%0600d\\n' 1; exit 7"
    done = sh(script(migrated("2.11.2", NEW, RUN), tmp_path), programs={"systemd-run": fails})
    assert done.returncode == 1
    exists = "errors.Exists: it is there"
    assert done.stdout.decode().splitlines() == [" @note: not one of ours", exists, "1", "2", "3", "0" * 500, exists]
    assert not (tmp_path / "migrated").exists()


def test_only_a_database_of_1_is_repaired_first() -> None:
    assert "Aerodrome's probes/repair.py" not in script(migrated("2.11.2", NEW, RUN))
    text = script(migrated("1.10.10", NEW, RUN))
    assert text.index("Aerodrome's probes/repair.py") < text.index("airflow db migrate")


def test_a_rehearsal_knows_the_copy_only_and_is_confined() -> None:
    text = script(rehearsed("2.11.2", NEW, RUN))
    variables = text[text.index("AIRFLOW_HOME=") : text.index("END_OF_FILE\n")]
    assert 'AIRFLOW_HOME="/tmp/airflow"' in variables or "AIRFLOW_HOME=/tmp/airflow" in variables
    assert "5432/aerodrome_scratch" in variables and "5432/airflow" not in variables
    assert "BROKER_URL" not in variables and "RESULT_BACKEND" not in variables
    assert "/opt/aerodrome/airflow/next/bin/airflow db migrate" in text
    for each in ("PrivateTmp=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"):
        assert f"-p {each}" in text
    assert "EnvironmentFile=/run/aerodrome/rehearsal.env" in text


def test_a_rehearsal_leaves_no_password_behind(tmp_path: Path, sh: Shell) -> None:
    text = script(rehearsed("2.11.2", NEW, RUN), tmp_path)
    for code in (0, 1):
        seen = f"stat -c '%a kept' {tmp_path}/rehearsal.env; exit {code}"
        assert sh(text, programs={"systemd-run": seen}).returncode == code
        assert (tmp_path / "rehearsed.log").read_text() == "600 kept\n"
        assert not (tmp_path / "rehearsal.env").exists()


def test_a_url_that_only_a_command_knows_cannot_be_rehearsed() -> None:
    of = fleet(database=Database(connection_command="vault"), version="3.3.2")
    with pytest.raises(InvalidInput, match="cannot be rehearsed without a password"):
        rehearsed("2.11.2", inputs(of, password=None), RUN)


def test_rows_are_counted_as_the_superuser_who_reads_plain_tables_only() -> None:
    text = script(counted(RUN))
    assert "PGDATABASE=aerodrome_scratch PGOPTIONS='-c search_path=pg_catalog" in text
    assert text.endswith("mv /run/aerodrome/counted.new /run/aerodrome/counted\n")


def test_an_environment_is_made_ready_beside_the_one_in_use() -> None:
    (installed,) = ready(NEW, HOSTS["w1"])[-1].resources
    assert isinstance(installed, Installed)
    assert installed.link == "/opt/aerodrome/airflow/next"


def test_the_backup_of_a_rehearsal_takes_no_other_one_s_place() -> None:
    assert for_rehearsal(NEW).fleet.backup == Backup(keep=1, directory="/var/lib/aerodrome/backups/rehearsal")


def test_an_airflow_cfg_of_hosts_yaml_stays() -> None:
    assert config(inputs(config_file="[core]\n"), RUN) == ()
    assert AWKWARD not in repr(config(NEW, RUN))


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([], "nothing is lost: no other database is in use yet"),
        (
            [Lost("x", "ok", "", runs=1, tasks=20, since="2026-12-01 04:10 UTC")],
            "Airflow forgets what has started since 2026-12-01 04:10 UTC: 1 DAG run and 20 task instances",
        ),
        (
            [Finding("x", "failed", "it is down")],
            "Airflow forgets what ran since; how much that is could not be counted: it is down",
        ),
    ],
)
def test_what_going_back_would_lose(findings: list[Finding], said: str) -> None:
    assert lost_by_going_back(fleet(), "kept", lambda checks: {"db1": findings}) == said
