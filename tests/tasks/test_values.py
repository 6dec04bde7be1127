"""The lock file for a fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.catalogue.packages import EXTRAS
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Airflow
from tasks import values
from tasks.values import locks


def test_the_locks_that_ship_serve_the_versions_own_extras() -> None:
    found = locks(Airflow(version="1.10.10", extras=EXTRAS[1]))
    assert sorted(found) == ["3.7", "3.8"]
    assert found["3.7"].startswith("# Packages of Airflow 1.10.10 on Python 3.7")


def test_fewer_extras_are_served_too() -> None:
    assert locks(Airflow(version="2.11.2", extras=("postgres",)))


def test_further_extras_want_a_lock_of_their_own() -> None:
    with pytest.raises(InvalidInput) as caught:
        locks(Airflow(version="2.11.2", extras=("postgres", "amazon", "ssh")))
    assert caught.value.message == "airflow.extras: the shipped lock file lacks amazon, ssh"
    assert "fab pin --version=2.11.2 --extra=amazon --extra=ssh --output=locks/mine.txt" in caught.value.hint


def test_a_lock_made_with_further_extras_serves_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "# Requirement: apache-airflow[postgres,amazon]==2.11.2\n"
    (tmp_path / "airflow-2.11.2-py3.11.txt").write_text(text)
    monkeypatch.setattr(values, "LOCKS", tmp_path)
    assert locks(Airflow(version="2.11.2", extras=("postgres", "amazon"))) == {"3.11": text}


def test_no_lock_ships_for_another_distribution_or_version() -> None:
    assert locks(Airflow(distribution="astronomer-certified", version="1.10.10.*", extras=EXTRAS[1])) == {}
    assert locks(Airflow(version="3.3.1")) == {}


def test_what_is_not_pinned_needs_no_extras_of_a_lock() -> None:
    assert locks(Airflow(version="3.3.2", extras=("amazon",), pinned=False)) == {}


def test_the_operators_own_lock_serves_every_python(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("six==1.17.0\n")
    assert locks(Airflow(version="1.10.10.*", lock=str(tmp_path / "mine.txt"))) == {
        "3.7": "six==1.17.0\n",
        "3.8": "six==1.17.0\n",
    }
