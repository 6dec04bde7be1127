"""The releases that nodes keep, so that they can switch back."""

from __future__ import annotations

import sys
from typing import Any

from invoke import task

from tasks.session import session


@task(help={"json": "print JSON"})
def releases(context: Any, json: bool = False) -> None:
    """Show which DAG folders and virtual environments each node keeps, and which are in use.

    deploy.keep_releases of each are kept; older ones are removed by the next deploy, unless a process or a systemd unit
    still uses them. Exit code 1 if a node cannot be asked.

    Examples:
      fab releases
      fab -H worker1 releases
      fab releases --json      # for a program
    """
    from aerodrome.components.releases import held
    from aerodrome.report.releases import show_releases, show_releases_as_json

    with session(context) as run:
        rows = held(run.inputs, run.hosts, run.run.look)
    (show_releases_as_json if json else show_releases)(rows)
    if not all(row.ok for row in rows):
        sys.exit(1)
