"""A control group for each host.

Without it, all hosts share one tree and start and stop services in the same groups, so that units
sometimes fail with "Failed to attach to cgroup".
"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path

from lab.shell import wait_until

SYSTEM = Path("/sys/fs/cgroup")


def trees(mount: Path = SYSTEM) -> list[Path]:
    """Return the trees in which systemd keeps its groups: one with cgroup v2, two alongside v1."""
    beside_v1 = [mount / name for name in ("systemd", "unified") if (mount / name).is_dir()]
    return beside_v1 or [mount]


def enter_script(groups: list[Path]) -> str:
    """Return a shell script that moves its own shell into these groups."""
    quoted = [shlex.quote(str(group)) for group in groups]
    return "; ".join(f"mkdir -p {group}; echo $$ >{group}/cgroup.procs" for group in quoted)


def remove(groups: list[Path]) -> None:
    """Remove groups and everything below; the kernel needs a moment to notice that they are empty."""
    for group in groups:
        wait_until(partial(_removed, group), 20)


def _removed(group: Path) -> bool:
    for folder in [*sorted(group.rglob("*/"), reverse=True), group]:
        try:
            folder.rmdir()
        except OSError:
            continue
    return not group.exists()
