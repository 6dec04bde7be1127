"""Work on hosts at once, wait for all of them, and then say everything that failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.fleet.model import Host

T = TypeVar("T")

# Told which hosts are still at work, and for how many seconds.
Waiting = Callable[[list[str], int], object]

FIRST, LONGEST = 10, 300  # seconds until it is said for whom a run waits, and between two times at most


def each(
    hosts: Sequence[Host], work: Callable[[Host], T], limit: int, waiting: Waiting = lambda names, seconds: None
) -> dict[str, T]:
    """Call `work` for every host, at most `limit` at once, and return what it gave by host name.

    `waiting` is called from time to time while hosts are still at work.

    Raises FleetError, with the failure of each host, once all have finished.
    """

    def guarded(host: Host) -> T | HostError:
        try:
            return work(host)
        except HostError as error:
            return error
        except AerodromeError as error:
            return HostError(host.name, "", error.message, error.hint)
        except Exception as error:  # one host's trouble never hides the others' answers
            return _unexpected(host.name, error)

    pool = ThreadPoolExecutor(max_workers=max(1, min(limit, len(hosts))))
    futures = {host.name: pool.submit(guarded, host) for host in hosts}
    try:
        _await(futures, waiting)
        found = {name: future.result() for name, future in futures.items() if future.done()}
    finally:
        # After Ctrl-C, which reaches the main thread only, nobody waits for what the others still do.
        pool.shutdown(wait=False, cancel_futures=True)
    results = {name: each for name, each in found.items() if not isinstance(each, HostError)}
    if failures := [each for each in found.values() if isinstance(each, HostError)]:
        raise FleetError(failures, results)
    return results


def _await(futures: Mapping[str, Future[Any]], waiting: Waiting) -> None:
    """Wait for all, or until one ends the whole run (by what is no Exception, and so not a host's)."""
    began, pauses = time.monotonic(), _pauses()
    due = began + next(pauses)
    pending = set(futures.values())
    while pending:
        timeout = max(0.0, due - time.monotonic())
        done, pending = wait(pending, timeout, return_when="FIRST_EXCEPTION")
        if any(future.exception() for future in done):
            return
        if pending:
            waiting([name for name, future in futures.items() if future.running()], round(time.monotonic() - began))
            due += next(pauses)


def _pauses() -> Iterator[float]:
    """Give 10, 10, 20, 40 … seconds: after 10, 20, 40, 80 s and so on."""
    pause = FIRST
    yield pause
    while True:
        yield pause
        pause = min(2 * pause, LONGEST)


def _unexpected(name: str, error: Exception) -> HostError:
    where = error.__traceback__
    while where and where.tb_next:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename.rpartition('/')[2]}:{where.tb_lineno}" if where else "?"
    message = f"unexpected {type(error).__name__} in {place}: {str(error)[:300]}"
    return HostError(name, "", message, "what this host answered may be damaged; otherwise please report this")
