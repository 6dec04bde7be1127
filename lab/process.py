"""The processes of a host, found by the directory that it was started on.

Not by a pid file: a controller that is killed may not have written one yet, and pids are reused.
Nor as children of systemd-nspawn: they survive when it is killed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

PROC = Path("/proc")

# What systemd does on these signals: see SIGNALS in systemd(1).
POWER_OFF = signal.SIGRTMIN + 4
REBOOT = signal.SIGRTMIN + 5


def supervisors(marker: str) -> list[int]:
    """Return the sorted pids of processes started with this argument."""
    return sorted(pid for pid in _pids() if marker in arguments(pid))


def leaders(upper: Path) -> list[int]:
    """Return the pids of each PID 1 whose root is an overlay with this folder on top."""
    return [pid for pid in _pids() if is_init(pid) and root_upper(_read(pid, "mountinfo")) == upper]


def root_upper(mountinfo: str) -> Path | None:
    """Return the upper folder of the overlay at the root, if there is one; see proc(5)."""
    for line in mountinfo.splitlines():
        place, _, source = line.partition(" - ")
        options = dict(option.partition("=")[::2] for option in source.split(" ")[-1].split(","))
        if place.split()[4] == "/" and "upperdir" in options:
            return Path(options["upperdir"])
    return None


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def arguments(pid: int) -> list[str]:
    """Return a process's argv, empty if it has ended."""
    return _read(pid, "cmdline").split("\0")


def is_init(pid: int) -> bool:
    """Tell whether a process is PID 1 in its own namespace."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("NSpid:"):
            numbers = line.split()[1:]
            return len(numbers) > 1 and numbers[-1] == "1"
    return False


def _read(pid: int, name: str) -> str:
    try:
        return (PROC / str(pid) / name).read_text(errors="replace")
    except OSError:  # ended, or about to end
        return ""


def send(pids: list[int], number: int) -> None:
    """Send a signal to each process, ignoring those that have ended."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
