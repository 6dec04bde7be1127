"""The table that `fab status` prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from aerodrome.blueprint.health import Health


def show_status(rows: Sequence[Health]) -> None:
    """Print a line a role and host."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("host", "role", "unit", "restarts", "since", "version", "health"):
        table.add_column(heading, no_wrap=heading != "health")
    for row in rows:
        colour = "green" if row.healthy else "red"
        table.add_row(
            row.host,
            row.role,
            Text(row.state.active or "not there", style="" if row.state.active == "active" else "red"),
            str(row.state.restarts),
            _ago(row.now - row.state.started) if row.state.started else "never",
            row.version or "?",
            Text(f"{'healthy' if row.healthy else 'NOT HEALTHY'}: {row.detail}", style=colour),
        )
    # Not cut to 80 columns where the output goes into a file or a pipe.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def _ago(seconds: int) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
