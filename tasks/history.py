"""The history of runs: who changed what, when, and with which outcome."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import session


@task(help={"last": "number of runs", "run": "show one run in full: its id, or a part of it", "json": "print JSON"})
def history(context: Any, last: str = "20", run: str = "", json: bool = False) -> None:
    """Show the runs that have changed the fleet, newest first: who, what, when, and how each ended.

    Examples:
      fab history --last=5
      fab history --run=1f3a      # the run 20261124T181500Z-1f3a: its stages, hosts, resources and errors
      fab history --run=1f3a --json
    """
    from aerodrome.engine import maintenance
    from aerodrome.report import history as report
    from tasks.numbers import number

    count = number("last", last, 1, 500)
    with session(context) as begun:
        if run:
            past = maintenance.past(begun.connections, run)
            (report.show_past_as_json if json else report.show_past)(past)
            return
        pasts = maintenance.history(begun.connections, count)
    (report.show_history_as_json if json else report.show_history)(pasts)
