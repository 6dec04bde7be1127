"""Read a file on a host."""

from __future__ import annotations

LIMIT = 4 << 20  # bytes of a file to read; every file that is managed here is smaller


def read_whole(name: str) -> str:
    """Return sh that prints the first LIMIT bytes of a file (already quoted), unless it is a link."""
    return f"dd if={name} iflag=nofollow,nonblock,fullblock,count_bytes bs=64K count={LIMIT} status=none"
