"""Run the machine's own commands, and report progress on stderr."""

from __future__ import annotations

import fcntl
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError


def say(line: str) -> None:
    """Print one progress line.

    In one write: hosts boot in parallel, and print() writes the newline separately.
    """
    sys.stderr.write(f"lab: {line}\n")
    sys.stderr.flush()


def run(argv: Sequence[str], stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and capture its output; unless `check` is off, a failure is a LabError."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True)
    if check and done.returncode != 0:
        why = last_line(done.stderr or done.stdout)
        raise LabError(f"{argv[0]} failed: {why}", f"to reproduce it: {shlex.join(argv)}")
    return done


def last_line(text: str) -> str:
    """Return the last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def wait_until(true: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Poll until it is true or the time is up; return the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < deadline:
        time.sleep(pause)
    return answer


@contextmanager
def locked(path: Path, busy: str, seconds: float = 600) -> Iterator[None]:
    """Hold a lock on a file. If another process has it, print `busy` and wait for up to that long.

    It is a kernel lock, so it ends with the process that holds it, even if that is killed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if not _try_lock(file.fileno()):
            say(busy)
            if not wait_until(lambda: _try_lock(file.fileno()), seconds):
                raise LabError(f"{path} is still locked after {seconds:.0f} s", "lslocks shows who holds it")
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
