"""The fleet's lock as a run holds it, on this machine in place of its host."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from aerodrome.core import lock as script
from aerodrome.core.event import Event, Idle, Waiting
from aerodrome.core.lock import Holder
from aerodrome.engine import lock as fleet_lock
from aerodrome.engine.lock import FleetLock, described
from aerodrome.errors import HostError
from aerodrome.fleet.model import Host
from tests.unit.remote.local import Local

DB = Host("db1", "10.0.0.1")


class Locks:
    """Locks over one fleet, and the events of their waits."""

    def __init__(self, folder: Path) -> None:
        self.local = Local(folder)
        self.events: list[Event] = []

    def lock(self, holder: str = "ann@laptop: fab deploy", patience: int = 20) -> FleetLock:
        return FleetLock(
            self.local,  # type: ignore[arg-type]
            DB,
            holder,
            patience,
            self.events.append,
        )


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Locks:
    for name in ("RUNTIME", "_SCRIPT"):
        monkeypatch.setattr(script, name, getattr(script, name).replace("/run/aerodrome", f"{tmp_path}/aerodrome"))
    return Locks(tmp_path)


def test_a_lock_that_is_free_is_taken_at_once_and_given_back(locks: Locks) -> None:
    lock = locks.lock()
    assert lock.take() > 1_000_000
    lock.check()
    lock.release()
    again = locks.lock()
    assert again.take() <= 2
    again.release()
    assert locks.events == []


def test_a_second_run_says_for_whom_it_waits(locks: Locks) -> None:
    first, second = locks.lock(), locks.lock("bob@desk: fab stop", patience=1)
    first.take()
    with pytest.raises(HostError) as caught:
        second.take()
    waits, idle = locks.events
    assert isinstance(waits, Waiting) and waits.host == "db1" and idle == Idle("db1")
    assert waits.why.startswith("waiting for ann@laptop: fab deploy, which has been changing the fleet since ")
    assert waits.why.endswith("; at most 1 s")
    assert (caught.value.host, caught.value.step) == ("db1", "lock")
    assert "cannot take the fleet's lock, nothing was changed: waited 1 s for ann@laptop" in caught.value.message
    assert caught.value.hint == "wait longer with --wait, or deploy.lock_timeout in hosts.yaml"
    second.release()
    first.check()
    first.release()


def test_after_a_wait_what_was_asked_is_old(locks: Locks) -> None:
    first, second = locks.lock(), locks.lock()
    first.take()
    threading.Timer(0.5, first.release).start()
    assert second.take() == 0
    second.release()


def test_a_host_that_cannot_be_reached_is_named(locks: Locks) -> None:
    locks.local.broken = lambda host: HostError("db1", "connect", "cannot connect", "is it up?")
    with pytest.raises(HostError) as caught:
        locks.lock().take()
    assert (caught.value.host, caught.value.step, caught.value.hint) == ("db1", "lock", "is it up?")
    assert caught.value.message == "cannot take the fleet's lock, nothing was changed: cannot connect"


def test_an_answer_that_makes_no_sense_is_named(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock, "lock_script", lambda holder, patience: "echo @taken soon; cat <&3")
    with pytest.raises(HostError, match="unexpected answer '@taken soon'"):
        locks.lock().take()
    monkeypatch.setattr(fleet_lock, "lock_script", lambda holder, patience: "echo no disk >&2; exit 3")
    with pytest.raises(HostError, match=r"the script that takes the fleet's lock ended \(exit 3\)") as caught:
        locks.lock().take()
    assert caught.value.detail == "no disk"


def test_a_lock_that_is_lost_is_noticed(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock, "lock_script", lambda holder, patience: "echo @taken 5")
    lock = locks.lock()
    assert lock.take() == 5
    deadline = time.monotonic() + 10
    with pytest.raises(HostError, match="the connection that holds the fleet's lock broke"):
        while time.monotonic() < deadline:
            lock.check()
            time.sleep(0.01)
    lock.release()


def test_how_a_holder_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock.time, "time", lambda: 1_000_000.0)
    monkeypatch.setattr(fleet_lock.time, "localtime", time.gmtime)
    told = "ann@laptop: fab deploy, which has been changing the fleet since "
    assert described(Holder("ann@laptop: fab deploy", 240)) == f"{told}13:42:40 (4 min)"
    assert described(Holder("ann@laptop: fab deploy", 100)) == f"{told}13:45:00 (100 s)"
