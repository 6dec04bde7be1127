"""Numeric options: Invoke would end in a traceback for anything that is not a number."""

from __future__ import annotations

import re


def number(option: str, text: str, low: int, high: int) -> int:
    """Return an option's number; raises InvalidInput unless it is plain digits from low to high."""
    from aerodrome.errors import InvalidInput
    from aerodrome.fleet.reader import shortened

    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    raise InvalidInput(
        f"--{option}: {shortened(text)!r} is not a number from {low} to {high}", f"--{option}={high // 1000}"
    )
