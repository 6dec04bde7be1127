"""Upgrades, before any host is reached, or with one that is down."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.components.registry import components
from aerodrome.controller.hosts_file import load
from tasks.upgrade import _between
from tests.tasks.conftest import ONE, Fab


@pytest.mark.parametrize("options", [(), ("--check",), ("--check", "--back"), ("--to=3.3.2", "--back")])
def test_it_takes_a_version_or_goes_back(fab: Fab, options: tuple[str, ...]) -> None:
    done = fab("upgrade", *options)
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: give a version, or --back\n  → fab upgrade --to=3.3.2, or fab upgrade --back\n"


def test_it_is_for_the_whole_fleet(hosts: Path, fab: Fab) -> None:
    hosts.write_text(
        ONE.replace("127.0.0.1, port: 1}", "192.0.2.1}\n  two: {address: 192.0.2.2}").replace(
            "worker: [one]", "worker: [two]"
        )
    )
    done = fab("-H", "one", "upgrade", "--to=3.3.2")
    assert done.err == "error: this works with the whole fleet\n  → run it without -H\n"


def test_a_database_that_is_managed_elsewhere_is_refused(hosts: Path, fab: Fab) -> None:
    hosts.write_text(
        ONE.replace("database: [one], ", "") + "database: {managed: false, host: 192.0.2.1, password: x}\n"
    )
    for options in (("--to=3.3.2",), ("--back",)):
        assert "database.managed is false" in fab("upgrade", *options).err


def test_a_host_that_is_down_is_named(fab: Fab) -> None:
    done = fab("upgrade", "--check", "--to=3.3.2")
    assert done.code == 1 and "one: " in done.err, done.err


def test_only_a_whole_fleet_that_answers_is_finished(fab: Fab) -> None:
    done = fab("upgrade.finish", "--yes")
    assert done.code == 1 and "one: " in done.err, done.err


def test_a_step_in_between_uses_the_lock_file_that_ships(hosts: Path) -> None:
    hosts.write_text(ONE + "airflow: {version: 1.10.10, lock: mine.txt, python: python3.8}\n")
    other = _between({"python": "python3", "lock": "/for/the/last.txt"})
    airflow = load(components().values(), str(hosts), airflow={"version": "2.11.2", **other}).airflow
    assert (airflow.version, airflow.lock, airflow.constraints, airflow.python) == ("2.11.2", None, None, "python3")
