"""How a program finds the metadata database, and its errors."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from probes.connection import connect
from probes.failure import first_line
from probes.found_connection import found_connection

NEW, OLD = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"


class Driver(ModuleType):
    """The part of psycopg2 that is used; `refuses` is its error instead of a connection."""

    class Error(Exception):
        pass

    def __init__(self) -> None:
        super().__init__("psycopg2")
        self.refuses = ""
        self.asked: list[tuple[str, Any]] = []

    def connect(self, url: str, connect_timeout: int) -> str:
        self.asked.append((url, connect_timeout))
        if self.refuses:
            raise self.Error(self.refuses)
        return "connection"


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    for name in (NEW, OLD):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_CMD", raising=False)
    found = Driver()
    monkeypatch.setitem(sys.modules, "psycopg2", found)
    return found


def test_the_driver_s_own_scheme_replaces_sqlalchemy_s(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NEW, "postgresql+psycopg2://u:p@h/d")
    assert connect(NEW, []) == "connection"
    assert driver.asked == [("postgresql://u:p@h/d", 5)]


def test_a_command_may_know_it(driver: Driver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("postgresql://u:p@h/d")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv(f"{NEW}_CMD", "cat url")
    connect(NEW, [])
    assert driver.asked[0][0] == "postgresql://u:p@h/d"


def test_what_may_be_the_password_is_masked(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NEW, "postgresql://airflow:half@secret@h/d")
    driver.refuses = 'could not translate "half" for user airflow: secret@h\nmore'
    with pytest.raises(Driver.Error) as refused:
        connect(NEW, ["airflow"])
    assert first_line(refused.value) == 'Error: could not translate "********" for user airflow: ********@h'
    assert refused.value.__cause__ is None and refused.value.__suppress_context__


@pytest.mark.parametrize(
    "variables, config, found",
    [
        ({}, "", None),
        ({NEW: "postgresql://new"}, "", "postgresql://new"),
        ({OLD: "postgresql://old"}, "", "postgresql://old"),
        ({NEW: "postgresql://new", OLD: "postgresql://old"}, "", "postgresql://new"),
        ({}, "[core]\nsql_alchemy_conn = postgresql://50%\n", "postgresql://50%"),
        ({}, "[database]\nsql_alchemy_conn = postgresql://d\n[core]\nsql_alchemy_conn = sqlite://\n", "postgresql://d"),
        ({}, "[core]\nsql_alchemy_conn = sqlite:////x\n", None),
    ],
)
@pytest.mark.usefixtures("driver")
def test_another_version_s_variable_or_airflow_cfg_may_have_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variables: dict[str, str], config: str, found: str | None
) -> None:
    import os

    monkeypatch.setattr(os, "environ", {**variables, "AIRFLOW_HOME": str(tmp_path)})
    (tmp_path / "airflow.cfg").write_text(config)
    assert found_connection(NEW) is (found is not None)
    assert os.environ.get(NEW) == found
