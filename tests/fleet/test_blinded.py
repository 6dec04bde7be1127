"""Ways in which DAG authors can delay us: locked tables in the metadata database, suspended programs."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fleet.conftest import Fleet

# Stop every program of ours that runs as the service user, again and again.
STOPPER = """\
import glob, os, signal
while True:
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as opened:
                if b"\\0-I\\0-\\0" in opened.read():
                    os.kill(int(path.split("/")[2]), signal.SIGSTOP)
        except OSError:
            pass
"""


@contextmanager
def locked(fleet: Fleet, table: str) -> Iterator[None]:
    """Lock a table with a node's login, as anybody who knows it can."""
    statement = f"SET ROLE airflow; BEGIN; LOCK TABLE {table}; SELECT pg_sleep(300)"
    fleet.sh(
        "db1",
        f"systemd-run -q --collect --unit=locker -p User=postgres psql -Xqd airflow -c {shlex.quote(statement)}; "
        "for _ in $(seq 100); do runuser -u postgres -- psql -XAtqc "
        "\"SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'\" | grep -q 1 && exit; sleep 0.1; done; exit 1",
    )
    try:
        yield
    finally:
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        fleet.sh("db1", f"runuser -u postgres -- psql -XAtqc {shlex.quote(end)}; systemctl stop locker || :")


@pytest.fixture
def stopper(fleet: Fleet) -> Iterator[None]:
    text = shlex.quote(STOPPER)
    fleet.sh("web1", f"systemd-run -q --collect --unit=stopper -p User=astro python3 -c {text}")
    try:
        yield
    finally:
        fleet.sh("web1", "systemctl stop stopper")


def test_a_table_that_somebody_holds_does_not_hide_the_units(fleet: Fleet) -> None:
    began = time.monotonic()
    with locked(fleet, "job"):
        done = fleet.fab("status", "--json", code=1)
    took = time.monotonic() - began
    rows = [row for row in json.loads(done.out) if row["role"] != "database"]
    asked = [row for row in rows if "statement timeout" in row["detail"]]
    assert asked, rows
    assert all(row["active"] == "active" for row in rows), rows
    assert took < 40, done.err


def test_a_table_that_somebody_holds_keeps_no_unit_from_being_restarted(fleet: Fleet) -> None:
    before = fleet.started()
    began = time.monotonic()
    with locked(fleet, "task_instance"):
        fleet.fab("-H", "worker1", "restart", "--role=worker")
    assert time.monotonic() - began < 90
    assert fleet.started()["worker1", "airflow@worker.service"] != before["worker1", "airflow@worker.service"]


@pytest.mark.usefixtures("stopper")
def test_a_question_that_the_service_user_stops_does_not_hide_the_units(fleet: Fleet) -> None:
    began = time.monotonic()
    done = fleet.fab("status", "--json", code=1)
    took = time.monotonic() - began
    found = {(row["host"], row["role"]): row for row in json.loads(done.out)}
    assert found["web1", "webserver"]["active"] == "active", found
    assert found["worker1", "worker"]["healthy"]
    assert took < 50, done.err
