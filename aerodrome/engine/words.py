"""What a program printed before it failed, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping


def last_words(text: str, lines: int = 12) -> str:
    """Return the last lines of an output, without the empty ones."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def hint(words: str, hints: Mapping[str, str]) -> str:
    """Return what to do about a failure that is known by what it prints; `hints` maps a sign to that."""
    return next((what for sign, what in hints.items() if sign in words), "")
