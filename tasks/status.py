"""The state of everything: roles, and open ports."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import ROLE, Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.errors import FleetError
    from aerodrome.fleet.model import Host


PORTS = "show the open ports of each host instead, with the program and who may reach it"


@task(help={**ROLE, "json": "print JSON", "ports": PORTS})
def status(context: Any, role: str | None = None, json: bool = False, ports: bool = False) -> None:
    """Show the unit and the health of every role. Exit code 1 if anything is not healthy.

    Examples:
      fab status
      fab status --role=worker --json    # for a program
      fab status --ports                 # what is open on each host, and to whom
    """
    from aerodrome.components.status import status as fleet_status
    from aerodrome.report.json import show_status_as_json
    from aerodrome.report.status import show_status
    from aerodrome.report.terminal import say

    with session(context) as run:
        if ports:
            _show_ports(run, json)
            return
        rows, notes = fleet_status(run.inputs, run.hosts, pick_roles(run.fleet, role, unused=True), run.run.look)
    for note in notes:
        say(f"note: {note}")
    (show_status_as_json if json else show_status)(rows)
    if not rows or not all(row.ok for row in rows):
        sys.exit(1)


def _show_ports(run: Session, json: bool) -> None:
    """Print what listens on the hosts; a host that cannot be reached does not hide the others."""
    from aerodrome.components.listening import Listening, listening_script, read_listening
    from aerodrome.errors import FleetError
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.ports import show_ports, show_ports_as_json

    def ask(host: Host) -> list[Listening]:
        return read_listening(run.inputs, host, run_script(run.connections, host, listening_script()).text)

    failed: FleetError | None = None
    try:
        found = each(run.hosts, ask, run.fleet.deploy.parallel)
    except FleetError as error:
        found, failed = dict(error.results), error
    (show_ports_as_json if json else show_ports)([row for host in run.hosts for row in found.get(host.name, [])])
    if failed:
        raise failed
