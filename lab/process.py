"""The processes of a host, found by the folder that its systemd-nspawn was started on.

Not by a file with a pid in it: a controller that is killed may not have written one yet, and a pid
comes again for something else.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

PROC = Path("/proc")

# systemd's own signal for "power off"; see SIGNALS in systemd(1).
POWER_OFF = signal.SIGRTMIN + 4


def supervisors(marker: str) -> list[int]:
    """Return the pids of what was started with this argument, ordered."""
    return sorted(pid for pid in _pids() if marker in arguments(pid))


def leader(marker: str) -> int | None:
    """Return the pid, as this machine sees it, of the host's PID 1; None when there is none."""
    for pid in supervisors(marker):
        for child in children(pid):
            if is_init(child):
                return child
    return None


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def arguments(pid: int) -> list[str]:
    """Return a process's argv; empty when it is gone."""
    return _read(pid, "cmdline").split("\0")


def children(pid: int) -> list[int]:
    """Return the pids of a process's children."""
    return [int(child) for child in _read(pid, f"task/{pid}/children").split()]


def is_init(pid: int) -> bool:
    """Tell whether a process is number 1 in a namespace of its own."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def send(pids: list[int], number: int) -> None:
    """Send a signal to each; those that are gone already do not matter."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
