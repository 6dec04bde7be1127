"""Read a file on a host, and ask what is free on its disks."""

from __future__ import annotations

LIMIT = 4 << 20  # bytes of a file to read; every file that is managed here is smaller


def read_whole(name: str) -> str:
    """Return sh that prints the first LIMIT bytes of a file (already quoted), unless it is a link."""
    return f"dd if={name} iflag=nofollow,nonblock,fullblock,count_bytes bs=64K count={LIMIT} status=none"


def free_at(path: str, form: str) -> str:
    """Return sh that prints what is free where a path (already quoted) is or will be, in stat's format `form`."""
    return f'at={path}; until [ -z "$at" ] || [ -e "$at" ]; do at=${{at%/*}}; done\nstat -f -c "{form}" "${{at:-/}}"'
