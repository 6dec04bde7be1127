"""The fleet's lock, as a run takes and holds it: one channel to the host that keeps it."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from aerodrome.core.event import Emit, Idle, Waiting
from aerodrome.core.lock import HELD, TAKEN, TIMED_OUT, Holder, lock_script, read_age, read_holder
from aerodrome.errors import AerodromeError, HostError
from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.limits import Limit
from aerodrome.remote.run import run

LEAVE = 10.0  # seconds that the host gets to give the lock back


class Lock(Protocol):
    """What keeps other runs from changing the fleet; `FleetLock`, but in tests."""

    def take(self) -> float: ...
    def check(self) -> None: ...
    def release(self) -> None: ...


class FleetLock:
    """Keep other runs from changing the fleet from `take` to `release`."""

    def __init__(
        self,
        connections: Connections,
        host: Host,
        holder: str,
        patience: int,
        emit: Emit,
    ) -> None:
        """Take who asks for the lock that `host` keeps, how many seconds they wait for it, and who is told so."""
        self._connections, self._host = connections, host
        self._holder, self._patience, self._emit = holder, patience, emit
        self._release = threading.Event()
        self._answered = threading.Event()  # the lock is ours, or the script has ended
        self._thread: threading.Thread | None = None
        self._age: int | None = None
        self._other: Holder | None = None
        self._error: AerodromeError | None = None
        self._pending = ""
        self._question = connections.fleet.deploy.probe_timeout
        self._limit = Limit.question(connections.fleet.deploy)

    def take(self) -> float:
        """Wait for the lock; return how many seconds ago another run took or released it, at most 0 after a wait.

        Raises HostError if the lock's host cannot be asked, or the other run does not end in time.
        """
        self._thread = threading.Thread(target=self._hold, daemon=True)
        self._thread.start()
        self._answered.wait()
        if self._other:
            self._emit(Idle(self._host.name))
        if self._error:
            raise self._failure(self._error)
        assert self._age is not None
        return 0 if self._other else self._age

    def check(self) -> None:
        """Raise HostError if the lock has been lost since it was taken."""
        if self._thread and not self._thread.is_alive():
            message = "the connection that holds the fleet's lock broke: another run may be changing the fleet"
            raise HostError(self._host.name, "lock", message, "run the same command again")

    def release(self) -> None:
        """Give the lock back, if it was taken."""
        self._release.set()
        if self._thread and self._age is not None:
            self._thread.join(LEAVE)

    def _hold(self) -> None:
        script = lock_script(self._holder, self._patience)
        try:
            output = run(
                self._connections,
                self._host,
                script,
                on_text=self._read,
                hold=self._release,
                limit=self._limit,
                keep=False,
            )
            if self._age is None:
                self._error = self._error or self._ended(output.status, output.errors)
        except AerodromeError as error:
            self._error = error
        finally:
            self._answered.set()

    def _read(self, text: str) -> bool:
        """Read what the script prints; return True if it makes no sense, which ends it."""
        *lines, self._pending = (self._pending + text)[-4000:].split("\n")
        for line in lines:
            if line.startswith(f"{HELD} "):
                self._other = read_holder(line)
                self._limit.allow(self._patience + self._question, "lock_timeout")
                why = f"waiting for {described(self._other)}; at most {_long(self._patience)}"
                self._emit(Waiting(self._host.name, why))
            elif line.startswith(f"{TAKEN} "):
                try:
                    self._age = read_age(line)
                except AerodromeError as error:
                    self._error = error
                    return True
                self._limit.allow(None)  # it is held as long as the run goes on
                self._answered.set()
        return False

    def _ended(self, status: int, errors: str) -> AerodromeError:
        if status == TIMED_OUT and self._other:
            message = f"waited {_long(self._patience)} for {described(self._other)}"
            return AerodromeError(message, "wait longer with --wait, or deploy.lock_timeout in hosts.yaml")
        return AerodromeError(f"the script that takes the fleet's lock ended (exit {status})", detail=errors.strip())

    def _failure(self, error: AerodromeError) -> HostError:
        message = f"cannot take the fleet's lock, nothing was changed: {error.message}"
        return HostError(self._host.name, "lock", message, error.hint, error.detail)


def described(holder: Holder) -> str:
    """Say who holds the lock, and since when by this machine's clock."""
    since = time.strftime("%H:%M:%S", time.localtime(time.time() - holder.seconds))
    return f"{holder.who}, which has been changing the fleet since {since} ({_long(holder.seconds)})"


def _long(seconds: int) -> str:
    return f"{seconds // 60} min" if seconds >= 120 else f"{seconds} s"
