"""The table that `fab releases` prints, and the same as JSON."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence

from aerodrome.checks.releases import Release
from aerodrome.report.sink import data, escape, escape_json, is_terminal, one_line, raw, redactor
from aerodrome.report.status import ago

COLOURS = {"in use": "green", "incomplete": "yellow", "unknown": "red"}


def show_releases(rows: Sequence[Release]) -> None:
    """Print one line per release and host."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("host", "kind", "release", "deployed", "state"):
        table.add_column(heading, no_wrap=heading != "state")
    for row in rows:
        deployed = f"{ago(row.age)} ago" if row.put else "never" if row.ok else "?"
        cells = (row.host, row.subject, row.name or "?", deployed, row.state if row.ok else f"NOT KNOWN: {row.detail}")
        styles = ("", "", "", "", COLOURS.get(row.state, ""))
        table.add_row(
            *[
                Text(escape(one_line(redactor.hide(text))), style=style)
                for text, style in zip(cells, styles, strict=True)
            ]
        )
    text = io.StringIO()
    terminal = is_terminal(sys.stdout)
    Console(file=text, force_terminal=terminal, width=None if terminal else 160, highlight=False).print(table, end="")
    raw(text.getvalue().removesuffix("\n"))


def show_releases_as_json(rows: Sequence[Release]) -> None:
    """Print `[{"host", "kind", "name", "deployed", "state", "error"}]`; times are seconds since the epoch."""
    document = [
        {
            "host": row.host,
            "kind": row.subject,
            "name": row.name or None,
            "deployed": row.put or None,
            "state": row.state,
            "error": None if row.ok else row.detail,
        }
        for row in rows
    ]
    data(escape_json(json.dumps(document, indent=2, ensure_ascii=False)))
