"""Maintenance of the fleet's lock by an operator: show it, hold the fleet, release it; and the history."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from aerodrome.core.history import Past, history_script, read_history, run_script
from aerodrome.core.lock import Found, LockState, described
from aerodrome.core.record import Recorder
from aerodrome.engine.lock import FleetLock
from aerodrome.errors import InvalidInput, reading
from aerodrome.remote.connection import Connections
from aerodrome.remote.run import run


def lock_state(connections: Connections) -> Found | None:
    """Return the record of the fleet's lock; None if it is free."""
    host, state = connections.fleet.lock_host, LockState()
    with reading(host.name, "lock"):
        return state.read(run(connections, host, state.probe()).text)


def hold(lock: FleetLock, recorder: Recorder, reason: str) -> None:
    """Keep every run from changing the fleet until somebody releases it.

    Raises HostError, as a run does, if somebody already has the lock.
    """
    lock.take(recorder.claim(reason), recorder.start("lock.hold", reason))
    lock.tell(recorder.end("held", {}, []))
    lock.keep(replace(recorder.claim(reason), hold=True))


def release(lock: FleetLock, recorder: Recorder, reason: str) -> str:
    """Take the lock from a killed run, or end a hold; return what it was, or nothing if it was free.

    `lock` has to be one that takes by force, and does not wait. Raises HostError if a run is alive.
    """
    lock.take(recorder.claim(reason), recorder.start("lock.release", reason))
    lock.release(recorder.end("released" if lock.found else "unchanged", {}, []))
    return described(lock.found) if lock.found else ""


def history(connections: Connections, last: int) -> list[Past]:
    """Return the newest runs, newest first, each without the events between its start and its end."""
    return _ask(connections, partial(history_script, last=last))


def past(connections: Connections, part: str) -> Past:
    """Return the whole record of the run with `part` in its name.

    Raises InvalidInput if there is none, or more than one.
    """
    found = _ask(connections, partial(run_script, part=part))
    if len(found) == 1:
        return found[0]
    host = connections.fleet.lock_host.name
    if not found:
        raise InvalidInput(f"--run: no run in the history on {host} is called {part}", "fab history shows those it has")
    raise InvalidInput(f"--run: {part} may be {', '.join(each.run for each in found)}", "give more of the name")


def _ask(connections: Connections, script: Callable[[str], str]) -> list[Past]:
    host, nonce = connections.fleet.lock_host, os.urandom(6).hex()
    with reading(host.name, "history"):
        return read_history(nonce, run(connections, host, script(nonce)).text)
