"""The names of what a host sets outside hosts.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.kept_settings import KeptSettings, SetByHand
from tests.unit.make import ME, Shell

VARIABLES = """\
# AIRFLOW__CORE__COMMENTED=1
AIRFLOW__CORE__DAG_CONCURRENCY="16
AIRFLOW__INSIDE__A_VALUE"
 AIRFLOW__SMTP__SMTP_PASSWORD = hush
TEAM=hush
AIRFLOW__HUSH
"""
CONFIG = """\
# [commented]
before = 1
[core]
# sql_alchemy_conn = hush
sql_alchemy_conn = postgres://hush
    and_more = hush
fernet_key: hush
[smtp]
smtp_user=hush
"""


def check(folder: Path, config: str = "airflow.cfg") -> KeptSettings:
    return KeptSettings("w1", f"{folder}/air flow.local", f"{folder}/{config}" if config else "", ME)


@pytest.fixture
def programs() -> dict[str, str]:
    return {"runuser": 'shift 3; exec "$@"'}


def test_names_and_never_values(sh: Shell, tmp_path: Path, programs: dict[str, str]) -> None:
    (tmp_path / "air flow.local").write_text(VARIABLES)
    (tmp_path / "airflow.cfg").write_text(CONFIG)

    done = sh(f"set -eu\n{check(tmp_path).probe()}", programs=programs)

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"hush" not in done.stdout.lower().replace(b"airflow__hush", b"")
    names = ("AIRFLOW__CORE__DAG_CONCURRENCY", "AIRFLOW__SMTP__SMTP_PASSWORD")
    settings = ("core.sql_alchemy_conn", "core.fernet_key", "smtp.smtp_user")
    assert check(tmp_path).judge(done.stdout.decode()) == [
        SetByHand(
            "settings kept by hand", "ok", "2 settings", host="w1", file=f"{tmp_path}/air flow.local", names=names
        ),
        SetByHand(
            "settings kept by hand", "ok", "3 settings", host="w1", file=f"{tmp_path}/airflow.cfg", names=settings
        ),
    ]


def test_a_host_without_files_sets_nothing(sh: Shell, tmp_path: Path, programs: dict[str, str]) -> None:
    for each in (check(tmp_path), check(tmp_path, "")):
        done = sh(each.probe(), programs=programs)
        assert (done.stdout, done.stderr) == (b"\n", b"")
        assert each.judge(done.stdout.decode()) == []


def test_the_service_users_file_is_read_as_that_user(tmp_path: Path) -> None:
    script = check(tmp_path).probe().splitlines()[-1]
    assert script.startswith(
        f"runuser -u {ME} -- head -c 1048576 {tmp_path}/airflow.cfg 3<&- 9<&- 2>/dev/null | sed -n "
    )


def test_whatever_a_host_prints_is_a_name_or_nothing(tmp_path: Path) -> None:
    forged = "AIRFLOW__A\x1b[31m\nAIRFLOW__B\nx" + "\n\n[core]\n\x1b]0;x\nkey\n[no section\n" + "k\n" * 5000
    variables, config = check(tmp_path).judge(forged)
    assert variables.names == ("AIRFLOW__B",)
    assert config.names[:2] == ("core.key", "core.k") and len(config.names) == 2000


def test_a_host_that_is_down_is_no_success(tmp_path: Path) -> None:
    assert check(tmp_path).unknown("down") == [SetByHand("settings kept by hand", "failed", "down", host="w1")]
