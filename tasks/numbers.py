"""Numbers that are options: Invoke would end in a traceback for one that is none."""

from __future__ import annotations

import re


def number(option: str, text: str, low: int, high: int) -> int:
    """Return the number that an option has; InvalidInput for anything else than plain digits from low to high."""
    from aerodrome.errors import InvalidInput
    from aerodrome.fleet.reader import shortened

    if re.fullmatch(r"[0-9]{1,9}", text) and low <= int(text) <= high:
        return int(text)
    raise InvalidInput(
        f"--{option}: {shortened(text)!r} is not a number from {low} to {high}", f"--{option}={high // 1000}"
    )
