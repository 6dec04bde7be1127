"""`python -m lab up|down|status`: the practice fleet, without Fabric."""

from __future__ import annotations

import sys
from collections.abc import Callable

from lab.errors import LabError
from lab.fleet import Lab
from lab.report import status_lines


def main(arguments: list[str]) -> int:
    """Run the command in the only argument; return the exit code."""
    try:
        lab = Lab()
        actions: dict[str, Callable[[], None]] = {
            "up": lab.up,
            "down": lab.down,
            "status": lambda: _print_status(lab),
        }
        if len(arguments) != 1 or arguments[0] not in actions:
            raise LabError("unknown command", f"python -m lab {'|'.join(actions)}")
        actions[arguments[0]]()
    except LabError as error:
        print(f"lab: {error}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr)
        return error.exit_code
    return 0


def _print_status(lab: Lab) -> None:
    print("\n".join(status_lines(lab.status())))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
