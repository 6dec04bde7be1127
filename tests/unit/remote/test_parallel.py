"""Work on hosts in parallel."""

from __future__ import annotations

import threading
import time

import pytest

from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.fleet.model import Host
from aerodrome.remote import parallel
from aerodrome.remote.parallel import each

HOSTS = [Host(name, f"10.0.0.{number}") for number, name in enumerate(["a", "b", "c", "d"], 1)]


def test_results_come_by_host_in_their_order() -> None:
    def work(host: Host) -> str:
        time.sleep(0.02 if host.name == "a" else 0)
        return host.address

    assert list(each(HOSTS, work, 4).items()) == [(host.name, host.address) for host in HOSTS]


def test_no_hosts_no_work() -> None:
    assert each([], lambda host: host, 5) == {}


@pytest.mark.parametrize("limit", [1, 2, 4, 100])
def test_no_more_hosts_at_once_than_allowed(limit: int) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def work(host: Host) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.05)
        with lock:
            busy -= 1

    each(HOSTS, work, limit)
    assert most == min(limit, 4)


def test_every_failure_is_reported_once_all_have_finished() -> None:
    finished = []

    def work(host: Host) -> None:
        if host.name == "a":
            raise HostError("a", "connect", "is down")
        if host.name == "c":
            raise AerodromeError("no such thing", "do this")
        time.sleep(0.05)
        finished.append(host.name)

    with pytest.raises(FleetError, match="^failed on a, c$") as caught:
        each(HOSTS, work, 4)
    found = [(error.host, error.step, error.message, error.hint) for error in caught.value.failures]
    assert found == [("a", "connect", "is down", ""), ("c", "", "no such thing", "do this")]
    assert sorted(finished) == ["b", "d"]


def test_what_nobody_expected_is_one_host_s_failure_and_says_where() -> None:
    with pytest.raises(FleetError) as caught:
        each(HOSTS, lambda host: 1 // (host.name != "b"), 4)
    (failure,) = caught.value.failures
    assert failure.host == "b"
    assert failure.message.startswith("unexpected ZeroDivisionError in test_parallel.py:")
    assert caught.value.results == {"a": 1, "c": 1, "d": 1}


def test_what_ends_the_run_is_not_waited_for() -> None:
    class Over(BaseException):
        pass

    release = threading.Event()

    def work(host: Host) -> None:
        if host.name == "b":
            raise Over
        release.wait(30)

    began = time.monotonic()
    with pytest.raises(Over):
        each(HOSTS, work, 4)
    release.set()
    assert time.monotonic() - began < 10


def test_while_hosts_are_at_work_it_is_reported_for_whom_the_run_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "FIRST", 0.2)
    heard: list[list[str]] = []
    release = threading.Event()

    def waiting(names: list[str], seconds: int) -> None:
        heard.append(names)
        if len(heard) == 3:
            release.set()

    each(HOSTS, lambda host: host.name != "c" or release.wait(30), 4, waiting)
    assert heard == [["c"]] * 3


def test_the_pauses_grow() -> None:
    assert [pause for pause, _ in zip(parallel._pauses(), range(8), strict=False)] == [
        10,
        10,
        20,
        40,
        80,
        160,
        300,
        300,
    ]
