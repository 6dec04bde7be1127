"""The table that `fab status` prints."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from aerodrome.components.health import Health
from aerodrome.report.sink import escape, is_terminal, one_line, raw, redactor

LONGEST = 20  # characters of a host's answer in a column that does not wrap


def show_status(rows: Sequence[Health]) -> None:
    """Print one line per role and host."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("host", "role", "unit", "restarts", "since", "version", "health"):
        table.add_column(heading, no_wrap=heading != "health")
    for row in rows:
        colour = "green" if row.ok else "red"
        cells = (
            (row.host, ""),
            (row.role, ""),
            (row.state.active[:LONGEST] or "not there", "" if row.state.active == "active" else "red"),
            (str(row.state.restarts), ""),
            (ago(row.now - row.state.started) if row.state.started else "never", ""),
            (row.version[:LONGEST] or "?", ""),
            (f"{'healthy' if row.ok else 'NOT HEALTHY'}: {row.detail}", colour),
        )
        # As Text, so that rich does not parse it as markup.
        table.add_row(*[Text(escape(one_line(redactor.hide(text))), style=style) for text, style in cells])
    text = io.StringIO()
    # Not cut to 80 columns if the output goes into a file or a pipe.
    terminal = is_terminal(sys.stdout)
    Console(file=text, force_terminal=terminal, width=None if terminal else 160, highlight=False).print(table, end="")
    raw(text.getvalue().removesuffix("\n"))


def ago(seconds: int) -> str:
    """Return a time span in words."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{max(seconds, 0)} s"
