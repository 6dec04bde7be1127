"""Questions to the operator."""

from __future__ import annotations

import sys

YES = {"yes": "do not ask"}


def confirmed(question: str) -> bool:
    """Ask a question; raise InvalidInput if nobody can answer."""
    from aerodrome.errors import InvalidInput
    from aerodrome.report.sink import paused

    if not sys.stdin.isatty():
        raise InvalidInput("cannot ask without a terminal", "check the plan above, then add --yes")
    with paused():
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            print(file=sys.stderr)
            return False
