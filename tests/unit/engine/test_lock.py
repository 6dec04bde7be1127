"""The fleet's lock as a run holds it, with this machine in place of its host."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from aerodrome.core.event import Event, Idle, Note, Waiting
from aerodrome.core.lock import Claim, Found
from aerodrome.engine import lock as fleet_lock
from aerodrome.engine.lock import FleetLock, _who
from aerodrome.errors import HostError
from aerodrome.fleet.model import Host
from aerodrome.remote.limits import Limit
from tests.unit.core.test_lock import START, history, lock_script_below
from tests.unit.remote.local import Local

DB = Host("db1", "10.0.0.1")
ANN = Claim("20261124T181500Z-aaaa", "ann@laptop", "fab deploy", "7 changes on 2 of 5 hosts")
BOB = Claim("20261124T181600Z-bbbb", "bob@desk", "fab stop", "1 changes on 1 of 5 hosts")
END = '{"event": "end"}'


class Locks:
    """Locks over one fleet, and the messages during the wait for them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.local = folder, Local(folder)
        self.emitted: list[Event] = []

    def lock(self, patience: int = 20, force: bool = False) -> FleetLock:
        return FleetLock(self.local, DB, patience, self.emitted.append, force)  # type: ignore[arg-type]

    @property
    def said(self) -> list[str]:
        """The messages about waiting, and the notes."""
        return [
            each.why if isinstance(each, Waiting) else each.text
            for each in self.emitted
            if isinstance(each, Waiting | Note)
        ]

    @property
    def record(self) -> dict[str, Any] | None:
        path = self.folder / "var" / "lock"
        return json.loads(path.read_text()) if path.exists() else None

    def events(self, run: str) -> list[object]:
        return [each["event"] for each in history(self.folder, run)]

    def left(self, claim: Claim = ANN, stuck: bool = False) -> None:
        """Leave the lock as a killed run does."""
        lock = self.lock()
        lock.take(claim, START)
        if stuck:
            lock.release(END, stuck=True)
            return
        lock._hold.let_go()
        assert lock._thread
        lock._thread.join(10)


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Locks:
    monkeypatch.setattr(fleet_lock, "lock_script", partial(lock_script_below, tmp_path))
    return Locks(tmp_path)


def refused(lock: FleetLock, claim: Claim) -> HostError:
    with pytest.raises(HostError) as caught:
        lock.take(claim, START)
    assert (caught.value.host, caught.value.step) == ("db1", "lock")
    return caught.value


def test_a_lock_that_is_free_is_taken_at_once_and_given_back(locks: Locks) -> None:
    lock = locks.lock()
    assert lock.take(ANN, START) > 1_000_000
    lock.check()
    lock.tell('{"event": "stage"}')
    lock.release(END)
    assert (locks.record, locks.events(ANN.run)) == (None, ["start", "stage", "end"])
    again = locks.lock()
    assert again.take(BOB, START) <= 2
    again.release(END)
    assert locks.said == []


def test_a_second_run_says_for_whom_it_waits(locks: Locks) -> None:
    first, second = locks.lock(), locks.lock(patience=1)
    first.take(ANN, START)
    error = refused(second, BOB)
    (said,) = locks.said
    assert said.startswith("waiting for ann@laptop: fab deploy, which has been changing the fleet since ")
    assert said.endswith("; at most 1 s")
    assert "cannot take the fleet's lock, nothing was changed: waited 1 s for ann@laptop" in error.message
    assert error.hint == "wait longer with --wait, or deploy.lock_timeout in hosts.yaml"
    assert locks.emitted[1:] == [Idle("db1")]
    first.check()
    first.release(END)


def test_after_a_wait_what_was_asked_is_old(locks: Locks) -> None:
    first, second = locks.lock(), locks.lock()
    first.take(ANN, START)
    threading.Timer(0.5, first.release, [END]).start()
    assert second.take(BOB, START) == 0
    second.release(END)


# Locks that another run has left


def test_the_next_run_of_the_same_performer_takes_over_and_says_so(locks: Locks) -> None:
    locks.left()
    lock = locks.lock()
    again = replace(ANN, run="20261124T182000Z-cccc", what="fab start")
    lock.take(again, START)
    (said,) = locks.said
    assert said.startswith("a run of ann@laptop that began ")
    assert said.endswith(f" ago did not end: fab deploy ({ANN.run}): this run takes it over")
    assert locks.record and locks.record["run"] == again.run
    lock.release(END)
    assert locks.record is None
    assert (locks.events(ANN.run), locks.events(again.run)) == (["start", "lost"], ["start", "end"])


@pytest.mark.parametrize("stuck", [False, True])
def test_anybody_else_is_told_whose_it_is_and_how_to_break_it(locks: Locks, stuck: bool) -> None:
    locks.left(stuck=stuck)
    error = refused(locks.lock(), BOB)
    assert error.message.startswith(
        "cannot take the fleet's lock, nothing was changed: a run of ann@laptop that began "
    )
    how = "failed, and so did its way back" if stuck else "did not end"
    assert error.message.endswith(f"ago {how}: fab deploy ({ANN.run})")
    assert error.hint.startswith("if nobody is going to finish it: fab lock.release --reason=…")
    assert locks.record and locks.record["run"] == ANN.run
    breaking = locks.lock(patience=0, force=True)
    breaking.take(BOB, START)
    assert breaking.found and breaking.found.claim and breaking.found.claim.run == ANN.run
    breaking.release(END)
    assert locks.record is None


@pytest.mark.parametrize("performer", ["ann@laptop", "bob@desk"])
def test_a_fleet_that_is_held_is_changed_by_nobody(locks: Locks, performer: str) -> None:
    lock = locks.lock()
    lock.take(ANN, START)
    lock.keep(replace(ANN, hold=True, why="new switches"))
    error = refused(locks.lock(), replace(BOB, performer=performer))
    assert "nothing was changed: ann@laptop has held the fleet for " in error.message
    assert error.message.endswith(" s: new switches")
    assert error.hint == "once that is over: fab lock.release --reason=…"


def test_a_run_that_is_alive_is_broken_by_nobody(locks: Locks) -> None:
    first = locks.lock()
    first.take(ANN, START)
    assert "waited 0 s for ann@laptop" in refused(locks.lock(patience=0, force=True), BOB).message
    first.check()
    first.release(END)


@pytest.mark.parametrize("force", [False, True])
def test_a_broken_record_is_nobodys(locks: Locks, force: bool) -> None:
    (locks.folder / "var").mkdir()
    (locks.folder / "var" / "lock").write_bytes(b"\0\0\xff")
    if force:
        lock = locks.lock(force=True)
        lock.take(ANN, START)
        lock.release(END)
        assert locks.record is None
        return
    error = refused(locks.lock(), ANN)
    assert "the record of the fleet's lock is broken (/var/lib/aerodrome/lock, " in error.message
    assert "fab lock.release --reason=…" in error.hint


# Failures


def test_a_host_that_cannot_be_reached_is_named(locks: Locks) -> None:
    locks.local.broken = lambda host: HostError("db1", "connect", "cannot connect", "is it up?")
    error = refused(locks.lock(), ANN)
    assert error.message == "cannot take the fleet's lock, nothing was changed: cannot connect"
    assert error.hint == (
        "is it up? db1 keeps the fleet's lock and history: nothing can be changed before it answers; "
        "if it is gone for good, give its role to another host in hosts.yaml"
    )


def test_the_time_between_the_making_of_a_lock_and_its_taking_does_not_count(
    locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile, hosts are asked, some of which wait for another run that is at work on them."""
    exceeded: list[str] = []

    def run(*_: object, limit: Limit, **__: object) -> None:
        exceeded.append(limit.exceeded())
        raise HostError("db1", "connect", "gone")

    lock = locks.lock()
    lock._limit._since -= 10_000
    monkeypatch.setattr(fleet_lock, "run", run)
    with pytest.raises(HostError, match="cannot take the fleet's lock, nothing was changed: gone"):
        lock.take(ANN, START)
    assert exceeded == [""]


def test_an_answer_that_makes_no_sense_is_named(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock, "lock_script", lambda *given: "echo @taken soon; cat <&3")
    assert "unexpected answer '@taken soon'" in refused(locks.lock(), ANN).message
    monkeypatch.setattr(fleet_lock, "lock_script", lambda *given: "echo no disk >&2; exit 3")
    error = refused(locks.lock(), ANN)
    assert "the script that takes the fleet's lock ended (exit 3)" in error.message
    assert error.detail == "no disk"
    monkeypatch.setattr(fleet_lock, "lock_script", lambda *given: "echo 'cat: No space left on device' >&2; exit 74")
    error = refused(locks.lock(), ANN)
    assert error.message.endswith("cannot write to /var/lib/aerodrome on db1: cat: No space left on device")
    assert error.hint == "make room there: fab -H db1 run 'df -h /var/lib/aerodrome'"


def test_a_lock_that_is_lost_is_noticed(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock, "lock_script", lambda *given: "echo @taken 5")
    lock = locks.lock()
    assert lock.take(ANN, START) == 5
    deadline = time.monotonic() + 10
    with pytest.raises(HostError, match="the connection that holds the fleet's lock broke"):
        while time.monotonic() < deadline:
            lock.check()
            time.sleep(0.01)
    lock.release(END)
    (said,) = locks.said
    assert said == "the host did not confirm that the fleet's lock is released: see fab lock.status"


def test_an_end_that_cannot_be_written_is_said_and_is_no_failure(locks: Locks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock, "lock_script", lambda *given: "echo @taken 5; cat <&3 >/dev/null; echo @unrecorded")
    lock = locks.lock()
    lock.take(ANN, START)
    lock.release(END)
    (said,) = locks.said
    assert said == "this run is not recorded to its end: cannot write to /var/lib/aerodrome/history"


def test_how_a_holder_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_lock.time, "time", lambda: 1_000_000.0)
    monkeypatch.setattr(fleet_lock.time, "localtime", time.gmtime)
    told = "ann@laptop: fab deploy, which has been changing the fleet since "
    assert _who(Found(ANN, 240)) == f"{told}13:42:40 (4 min)"
    assert _who(Found(ANN, 100)) == f"{told}13:45:00 (100 s)"
    assert _who(Found(None, 100)).startswith("another run, which has been")
