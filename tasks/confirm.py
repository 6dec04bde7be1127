"""Questions to the operator."""

from __future__ import annotations

import sys

YES = {"yes": "do not ask"}


def confirmed(question: str, refusal: str = "", check: str = "the plan above", alone: bool = False) -> bool:
    """Ask a question; raise InvalidInput if nobody can answer: there is no terminal, or a program reads (`alone`).

    `refusal` ends that error, and `check` names what to look at before adding --yes.
    """
    from aerodrome.errors import InvalidInput
    from aerodrome.report.sink import paused

    if alone or not sys.stdin.isatty():
        message = ": ".join(filter(None, ["cannot ask without a terminal", refusal]))
        raise InvalidInput(message, f"check {check}, then add --yes")
    with paused():
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            print(file=sys.stderr)
            return False
