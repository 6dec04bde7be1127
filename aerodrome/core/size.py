"""Sizes in words."""

from __future__ import annotations


def megabytes(size: int) -> str:
    """Write a number of bytes as people do."""
    return f"{size / (1 << 30):.1f} GB" if size >= 10 << 30 else f"{size / (1 << 20):.1f} MB"


def hosts(count: int) -> str:
    """Write a number of hosts as people do."""
    return "1 host" if count == 1 else f"{count} hosts"
