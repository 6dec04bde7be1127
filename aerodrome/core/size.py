"""Sizes and numbers in words."""

from __future__ import annotations


def megabytes(size: int) -> str:
    """Write a number of bytes as people do."""
    return f"{size / (1 << 30):.1f} GB" if size >= 10 << 30 else f"{size / (1 << 20):.1f} MB"


def counted(number: int, noun: str) -> str:
    """Write a number of things as people do: `1 host`, `2 hosts`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
