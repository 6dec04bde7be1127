"""Work on hosts in parallel, wait for all of them, and then report all failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.fleet.model import Host

T = TypeVar("T")

# Called with the hosts that are still busy, and the seconds since the start.
Waiting = Callable[[list[str], int], object]

FIRST, LONGEST = 10, 300  # seconds until the first report of who is waited for, and at most between reports


def each(
    hosts: Sequence[Host], work: Callable[[Host], T], limit: int, waiting: Waiting = lambda names, seconds: None
) -> dict[str, T]:
    """Call `work` for every host, at most `limit` at once, and return the results by host name.

    `waiting` is called from time to time while hosts are still busy.

    Raises FleetError with the failure of each host, once all have finished.
    """

    def guarded(host: Host) -> T | HostError:
        try:
            return work(host)
        except HostError as error:
            return error
        except AerodromeError as error:
            return HostError(host.name, "", error.message, error.hint)
        except Exception as error:  # one host's failure never hides the others' answers
            return _unexpected(host.name, error)

    pool = ThreadPoolExecutor(max_workers=max(1, min(limit, len(hosts))))
    futures = {host.name: pool.submit(guarded, host) for host in hosts}
    try:
        _await(futures, waiting)
        found = {name: future.result() for name, future in futures.items() if future.done()}
    finally:
        # After Ctrl-C, which reaches only the main thread, do not wait for the others.
        pool.shutdown(wait=False, cancel_futures=True)
    results = {name: each for name, each in found.items() if not isinstance(each, HostError)}
    if failures := [each for each in found.values() if isinstance(each, HostError)]:
        raise FleetError(failures, results)
    return results


def _await(futures: Mapping[str, Future[Any]], waiting: Waiting) -> None:
    """Wait for all, or until one ends the whole run (with a BaseException, which no host's failure is)."""
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
    """Yield 10, 10, 20, 40 … seconds, so reports come after 10, 20, 40, 80 s and so on."""
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
    return HostError(name, "", message, "the host's answer may be corrupt; if not, please report this")
