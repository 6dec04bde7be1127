"""The last output of a program that failed, and hints about it."""

from __future__ import annotations

from collections.abc import Mapping


def last_words(text: str, lines: int = 12) -> str:
    """Return the last non-empty lines of an output."""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def hint(words: str, hints: Mapping[str, str]) -> str:
    """Return the hint for a failure that is recognized by its output; `hints` maps signs to hints."""
    return next((what for sign, what in hints.items() if sign in words), "")
