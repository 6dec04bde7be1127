"""The fleet's lock, as a run takes and holds it: one channel to the host that keeps it, and the run's history."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Protocol

from aerodrome.core.event import Emit, Idle, Note, Waiting
from aerodrome.core.lock import (
    EVENT,
    FOUND,
    HELD,
    HISTORY,
    LEAVE,
    LEFT,
    RECORD,
    ROOT,
    STAY,
    TAKE,
    TAKEN,
    TIMED_OUT,
    UNRECORDED,
    UNWRITABLE,
    Claim,
    Found,
    described,
    lock_script,
    long,
    read_age,
    read_found,
)
from aerodrome.errors import AerodromeError, HostError
from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.hold import Hold
from aerodrome.remote.limits import Limit
from aerodrome.remote.run import run

LEAVING = 10.0  # seconds that the host gets to release the lock
BREAK = "fab lock.release --reason=…"


class Lock(Protocol):
    """A lock that keeps other runs from changing the fleet; `FleetLock`, except in tests."""

    def take(self, claim: Claim, start: str) -> float: ...
    def check(self) -> None: ...
    def tell(self, event: str) -> None: ...
    def release(self, end: str, stuck: bool = False) -> None: ...


class FleetLock:
    """Keep other runs from changing the fleet from `take` to `release`."""

    def __init__(self, connections: Connections, host: Host, patience: int, emit: Emit, force: bool = False) -> None:
        """Take the host that keeps the lock, and how many seconds to wait for it.

        With `force`, the lock is taken from a killed run or a hold, but never from a run that is alive.
        """
        self._connections, self._host, self._patience, self._emit = connections, host, patience, emit
        self._force = force
        self._hold = Hold()
        self._answered = threading.Event()  # the lock is ours, or the script has ended
        self._thread: threading.Thread | None = None
        self._claim: Claim | None = None
        self._age: int | None = None
        self._waited = False
        self._error: AerodromeError | None = None
        self._unrecorded = self._left = False
        self._pending = ""
        self._question = connections.fleet.deploy.probe_timeout
        self._limit = Limit.question(connections.fleet.deploy)
        self.found: Found | None = None  # the record that an earlier run has left

    def take(self, claim: Claim, start: str) -> float:
        """Wait for the lock; return how many seconds ago another run took or released it, at most 0 after a wait.

        `start` is the first line of the run's history. Raises HostError if the lock's host cannot be asked or cannot
        write it, if the other run does not end in time, or if another performer has left the lock or holds the fleet.
        """
        self._claim = claim
        script = lock_script(claim, start, self._patience)
        self._limit.allow(self._question)  # hosts may have been asked, and waited for, since this lock was made
        self._thread = threading.Thread(target=self._run, args=(script,), daemon=True)
        self._thread.start()
        self._answered.wait()
        if self._waited:
            self._emit(Idle(self._host.name))
        if self._error:
            self._hold.let_go()
            raise self._failure(self._error)
        assert self._age is not None
        return 0 if self._waited else self._age

    def check(self) -> None:
        """Raise HostError if the lock has been lost since it was taken."""
        if self._thread and not self._thread.is_alive():
            message = "the connection that holds the fleet's lock broke: another run may be changing the fleet"
            raise HostError(self._host.name, "lock", message, "run the same command again")

    def tell(self, event: str) -> None:
        """Add a line to the run's history."""
        self._send(EVENT, event)

    def release(self, end: str, stuck: bool = False) -> None:
        """Release the lock, with the last line of the run's history; if the run is `stuck`, its record stays."""
        self.tell(end)
        if stuck and self._claim:
            self.keep(replace(self._claim, stuck=True))
        else:
            self._leave(LEAVE)

    def keep(self, claim: Claim) -> None:
        """End without releasing the lock: nobody changes the fleet, except those whom this claim allows."""
        self._send(RECORD, claim.record())
        self._leave(STAY)

    def _send(self, word: str, text: str) -> None:
        assert text.isascii()
        self._hold.send(f"{word} {len(text)}\n{text}".encode())

    def _leave(self, word: str) -> None:
        self._hold.send(f"{word}\n".encode())
        self._hold.let_go()
        if self._thread and self._age is not None:
            self._thread.join(LEAVING)
        if self._unrecorded:
            self._note(f"this run is not recorded to its end: cannot write to {HISTORY}")
        elif not self._left:
            self._note("the host did not confirm that the fleet's lock is released: see fab lock.status")

    def _note(self, text: str) -> None:
        self._emit(Note(self._host.name, text))

    def _run(self, script: str) -> None:
        try:
            output = run(
                self._connections,
                self._host,
                script,
                on_text=self._read,
                hold=self._hold,
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
        """Read the script's output; return True if it must not continue, which ends it."""
        *lines, self._pending = (self._pending + text)[-10_000:].split("\n")
        try:
            for line in lines:
                self._read_line(line)
        except AerodromeError as error:
            self._error = error
            return True
        return False

    def _read_line(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == HELD:
            self._wait_for(read_found(rest, alive=True))
        elif word == FOUND:
            self._take_over(read_found(rest) if rest.strip() else None)
        elif word == TAKEN:
            self._age = read_age(line)
            self._limit.allow(None)  # it is held for as long as the run lasts
            self._answered.set()
        elif word == UNRECORDED:
            self._unrecorded = True
        elif word == LEFT:
            self._left = True

    def _wait_for(self, other: Found) -> None:
        self.found, self._waited = other, True
        self._limit.allow(self._patience + self._question, "lock_timeout")
        self._emit(Waiting(self._host.name, f"waiting for {_who(other)}; at most {long(self._patience)}"))

    def _take_over(self, found: Found | None) -> None:
        """Continue even if an earlier run has left a record; raise AerodromeError unless this performer may do so."""
        self.found = found
        self._limit.allow(self._question)
        if found and not self._force:
            if not (self._claim and found.left_by(self._claim.performer)):
                raise AerodromeError(described(found), _advice(found))
            self._note(f"{described(found)}: this run takes it over")
        self._hold.send(f"{TAKE}\n".encode())

    def _ended(self, status: int, errors: str) -> AerodromeError:
        if status == TIMED_OUT and self.found:
            message = f"waited {long(self._patience)} for {_who(self.found)}"
            return AerodromeError(message, "wait longer with --wait, or deploy.lock_timeout in hosts.yaml")
        if status == UNWRITABLE:
            message = f"cannot write to {ROOT} on {self._host.name}: {errors.strip()[-300:]}"
            return AerodromeError(message, f"make room there: fab -H {self._host.name} run 'df -h {ROOT}'")
        return AerodromeError(f"the script that takes the fleet's lock ended (exit {status})", detail=errors.strip())

    def _failure(self, error: AerodromeError) -> HostError:
        message = f"cannot take the fleet's lock, nothing was changed: {error.message}"
        hints = [error.hint] if error.hint else []
        if isinstance(error, HostError):  # the host cannot be reached
            hints.append(
                f"{self._host.name} keeps the fleet's lock and history: nothing can be changed before it answers;"
                " if it is gone for good, give its role to another host in hosts.yaml"
            )
        hint = " ".join(hints)
        return HostError(self._host.name, "lock", message, hint, error.detail)


def _who(other: Found) -> str:
    """Return who is changing the fleet, and since when by this machine's clock."""
    since = time.strftime("%H:%M:%S", time.localtime(time.time() - other.age))
    who = f"{other.claim.performer}: {other.claim.what}" if other.claim else "another run"
    return f"{who}, which has been changing the fleet since {since} ({long(other.age)})"


def _advice(found: Found) -> str:
    if found.claim and found.claim.hold:
        return f"once that is over: {BREAK}"
    return f"if nobody is going to finish it: {BREAK} (fab history shows what it did)"
