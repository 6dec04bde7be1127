"""The kernel settings that a lab needs on this machine, and how to restore them."""

from __future__ import annotations

from pathlib import Path

from lab.layout import CACHE, STATE, labs
from lab.shell import locked

SYSCTL = Path("/proc/sys")
OWED = STATE / "sysctl"  # the original values, to be restored

# Each setting, and the minimum that a lab needs.
NEEDS = {
    "net/ipv4/ip_forward": 1,  # to reach the registries
    # All hosts' root is one user to the kernel, and a host's systemd takes about ten. Once the
    # usual 128 are used up, units fail: "Failed to create inotify object: Too many open files".
    "fs/inotify/max_user_instances": 4096,
}


def prepare() -> None:
    """Apply the settings that labs need."""
    with locked(CACHE / "sysctl.lock", "waiting for another lab's settings"):
        for name, least in NEEDS.items():
            if int((SYSCTL / name).read_text()) < least:
                _remember(name)
                (SYSCTL / name).write_text(str(least))


def restore() -> None:
    """Restore everything, once no lab is left."""
    with locked(CACHE / "sysctl.lock", "waiting for another lab's settings"):
        if labs():
            return
        for name in NEEDS:
            if _owed(name).exists():
                (SYSCTL / name).write_text(_owed(name).read_text())
                _owed(name).unlink()
        for folder in (OWED, STATE):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _remember(name: str) -> None:
    # Only the first value is the machine's own; a later one may come from a killed run.
    if not _owed(name).exists():
        OWED.mkdir(parents=True, exist_ok=True)
        _owed(name).write_text((SYSCTL / name).read_text())


def _owed(name: str) -> Path:
    return OWED / name.replace("/", ".")
