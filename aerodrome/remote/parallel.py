"""Work on hosts at once, wait for all of them, and then say everything that failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.fleet import Host

T = TypeVar("T")


def each(hosts: Sequence[Host], work: Callable[[Host], T], limit: int) -> dict[str, T]:
    """Call `work` for every host, at most `limit` at once, and return what it gave by host name.

    Raises FleetError, with the failure of each host, once all have finished.
    """
    results: dict[str, T] = {}
    failures: list[HostError] = []
    pool = ThreadPoolExecutor(max_workers=max(1, min(limit, len(hosts))))
    futures = {host.name: pool.submit(work, host) for host in hosts}
    try:
        for name, future in futures.items():
            try:
                results[name] = future.result()
            except HostError as error:
                failures.append(error)
            except AerodromeError as error:
                failures.append(HostError(name, "", error.message, error.hint))
    finally:
        # After Ctrl-C, which reaches the main thread only, nobody waits for what the others still do.
        pool.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise FleetError(failures, results)
    return results
