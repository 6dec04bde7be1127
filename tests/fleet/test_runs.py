"""Concurrent runs, and other users of a host: one change at a time, which nobody else can block."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from shlex import quote

import pytest

from tests.fleet.conftest import Fleet
from tests.fleet.controllers import NODES, TASK, Controller, names_of, told

pytestmark = pytest.mark.usefixtures("names")


def test_of_two_runs_at_once_the_second_waits_and_then_does_it_all(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    first = ann.start(TASK)
    told(first, "worker2  waiting for another run that is at work on this host")
    second = bob.start(TASK)
    line = told(second, "db1")
    assert re.search(
        r"db1 +waiting for ann@test: fab node\.hosts, "
        r"which has been changing the fleet since \d\d:\d\d:\d\d \(\d+ s\); at most 15 min",
        line,
    )
    release()
    _, rest = first.communicate(timeout=60)
    assert first.returncode == 0, rest
    _, rest = second.communicate(timeout=60)
    assert second.returncode == 0, rest
    assert rest.splitlines()[-1] == f"done: {len(NODES)} hosts changed"
    assert names_of(bare) == {"of-bob"}


def test_a_run_that_may_not_wait_changes_nothing(
    bare: Fleet, ann: Controller, bob: Controller, release: Callable[[], None]
) -> None:
    first = ann.start(TASK)
    told(first, "worker2  waiting for another run")
    bob.hosts_yaml.write_text(bob.hosts_yaml.read_text().replace("deploy:\n", "deploy:\n  lock_timeout: 1\n"))
    _, said = bob.start(TASK).communicate(timeout=30)
    assert "db1: lock: cannot take the fleet's lock, nothing was changed: waited 1 s for ann@test: fab" in said
    release()
    first.communicate(timeout=60)
    assert names_of(bare) == {"of-ann"}


def test_nothing_to_do_takes_no_lock(bare: Fleet) -> None:
    lock = "stat -c '%Y %i' /run/aerodrome/fleet.lock"
    before = bare.sh("db1", lock)
    time.sleep(1.1)
    bare.nothing_to_do(TASK)
    assert bare.sh("db1", lock) == before


def test_another_user_of_a_host_holds_nothing_up(bare: Fleet) -> None:
    bare.sh("worker1", "id mallory >/dev/null 2>&1 || useradd -m mallory")
    holds = (
        "for path in /run /run/* /run/aerodrome/* / /tmp; do "
        "flock \"$path\" sleep 60 </dev/null >/dev/null 2>&1 & done; sleep 1; pgrep -u mallory -fc 'sleep 60'"
    )
    try:
        held = bare.sh("worker1", f"runuser -u mallory -- sh -c {quote(holds)}")
        assert int(held) > 3  # it has locked a file that everybody can open
        began = time.monotonic()
        done = bare.fab("-H", "worker1", TASK)
        assert time.monotonic() - began < 60
        assert "waiting" not in done.err
    finally:
        bare.sh("worker1", "pkill -u mallory; true")


def test_the_locks_are_roots_own(bare: Fleet) -> None:
    for host, name in (("db1", "fleet.lock"), ("worker1", "lock")):
        assert bare.sh(host, f"stat -c '%U %a' /run/aerodrome /run/aerodrome/{name}") == "root 700\nroot 600\n"
