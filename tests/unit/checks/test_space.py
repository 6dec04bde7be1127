"""Room for another virtual environment."""

from __future__ import annotations

from pathlib import Path

from aerodrome.checks.space import RoomForEnvironment
from tests.unit.make import Shell


def test_it_is_asked_only_if_the_version_is_not_there(tmp_path: Path, sh: Shell) -> None:
    check = RoomForEnvironment(str(tmp_path / "air flow"), "3.3.2")
    assert len(sh(check.probe()).stdout.split()) == 2
    (tmp_path / "air flow" / "venvs").mkdir(parents=True)
    (tmp_path / "air flow" / "venvs" / "3.3.20-py3.11-0.complete").touch()
    assert len(sh(check.probe()).stdout.split()) == 2
    (tmp_path / "air flow" / "venvs" / "3.3.2-py3.11-0.complete").touch()
    assert sh(check.probe()).stdout == b"there\n"


def test_a_full_disk_is_refused() -> None:
    check = RoomForEnvironment("/opt/aerodrome/airflow", "3.3.2")
    (found,) = check.judge("100 4096\n")
    assert (found.verdict, found.detail) == (
        "refused",
        "not enough space for Airflow 3.3.2 in /opt/aerodrome/airflow: 0.4 MB are free",
    )
    assert check.judge("1000000 4096\n") == check.judge("there\n") == check.judge("") == []
