"""The output of `fab backups`."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence

from aerodrome.checks.backups import Backup
from aerodrome.components.inputs import Inputs
from aerodrome.core.size import megabytes
from aerodrome.report.sink import data, escape, escape_json, is_terminal, one_line, raw, redactor
from aerodrome.report.status import ago


def show_backups(rows: Sequence[Backup]) -> None:
    """Print a line for each backup."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("backup", "age", "airflow", "size", "drilled", "state"):
        table.add_column(heading, no_wrap=heading != "state")
    for row in rows:
        cells = ("?", "?", "?", "?", "?")
        if row.ok:
            cells = (row.name, ago(row.age), row.airflow or "?", megabytes(row.bytes), drilled(row))
        elif row.name:
            cells = (row.name, *cells[1:])
        state = row.detail if row.ok else f"CANNOT BE USED: {row.detail}"
        styles = ("", "", "", "", "red" if row.drill and not row.drill.ok else "", "" if row.ok else "red")
        table.add_row(
            *[
                Text(escape(one_line(redactor.hide(text))), style=style)
                for text, style in zip((*cells, state), styles, strict=True)
            ]
        )
    text = io.StringIO()
    terminal = is_terminal(sys.stdout)
    Console(file=text, force_terminal=terminal, width=None if terminal else 160, highlight=False).print(table, end="")
    raw(text.getvalue().removesuffix("\n"))


def drilled(row: Backup) -> str:
    """Say how the last drill of a backup ended, and when."""
    if row.drill is None:
        return "never"
    when = f"{ago(max(0, row.at + row.age - row.drill.at))} ago"
    return f"ok, {when}" if row.drill.ok else f"FAILED {when} (fab history --run={row.drill.run[-4:]})"


def show_backups_as_json(rows: Sequence[Backup]) -> None:
    """Print `[{"host", "name", "made", "age", "bytes", "airflow", …}]`; times are seconds since the epoch."""
    document = [
        {
            "host": row.host,
            "name": row.name or None,
            "made": row.at or None,
            "age": row.age if row.at else None,
            "bytes": row.bytes if row.at else None,
            "airflow": row.airflow or None,
            "postgresql": row.server or None,
            "heads": [*row.heads, *row.provider_heads],
            "rows": dict(row.rows),
            "fernet_keys": list(row.fernet),
            "drill": {"run": row.drill.run, "at": row.drill.at, "ok": row.drill.ok} if row.drill else None,
            "error": None if row.ok else row.detail,
        }
        for row in rows
    ]
    data(escape_json(json.dumps(document, indent=2, ensure_ascii=False)))


def restore_plan(inputs: Inputs, backup: Backup, kept: str) -> str:
    """Say what a restore is going to do; `kept` is the name under which it keeps the database."""
    name, host = inputs.fleet.database.name, backup.host
    runs = backup.rows.get("dag_run")
    held = f", {runs} DAG runs" if runs is not None else ""
    lines = (
        f"backup {backup.name}: made {ago(backup.age)} ago, Airflow {backup.airflow or 'unknown'}{held}, "
        f"drilled: {drilled(backup)}",
        f"  1. {host}: restore it into a scratch database and check it, while everything runs",
        "  2. stop all services; workers finish their running tasks first (at most "
        f"{inputs.fleet.deploy.drain_timeout} s)",
        f"  3. {host}: keep database {name} as {kept}, and use the restored one",
        "  4. start all services, and wait until they are healthy",
        f"Airflow forgets what has happened since the backup (runs, connections, logins); it stays in {kept}.",
        "If anything fails from 2 on, the database of before is used again and services start with it.",
    )
    return "\n".join(map(escape, lines))
