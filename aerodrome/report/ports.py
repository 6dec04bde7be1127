"""The table that `fab status --ports` prints, and the same as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from aerodrome.components.listening import Listening
from aerodrome.report.terminal import data


def show_ports(rows: Sequence[Listening]) -> None:
    """Print one line per open port."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("host", "port", "address", "program", "reached by"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        style = "yellow" if row.reach == "everybody" else ""
        programs = Text(", ".join(row.programs) or "?")
        table.add_row(row.host, str(row.port), row.address or "all", programs, Text(row.reach, style=style))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def show_ports_as_json(rows: Sequence[Listening]) -> None:
    """Print open ports as JSON; an empty address means all of the host's addresses."""
    data(json.dumps([asdict(row) for row in rows], indent=2, ensure_ascii=False))
