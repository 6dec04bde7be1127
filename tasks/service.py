"""Units that run: start, stop, restart, how they are, and what they say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.deploy import converge
from tasks.session import FORCE, WAIT, Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.fleet.model import Host
    from aerodrome.report.journal import Journal

ROLE = {"role": "only this role (several: scheduler,worker)"}
CHANGES = {**ROLE, **WAIT}


@task(help=CHANGES)
def start(context: Any, role: str | None = None, wait: str | None = None) -> None:
    """Start whatever is not running, in deploy's order, and wait until it is healthy.

    Examples:
      fab start
      fab -H web1 start
      fab start --role=scheduler,worker
    """
    from aerodrome.components.order import role_stages
    from aerodrome.core.stage import only

    with session(context, wait) as run:
        roles = pick_roles(run.fleet, role)
        converge(run, lambda inputs: only(role_stages(inputs, roles), run.names))


@task(help={**CHANGES, **FORCE})
def restart(context: Any, role: str | None = None, wait: str | None = None, force: bool = False) -> None:
    """Restart one host of a role at a time; workers finish their running tasks first.

    Examples:
      fab restart --role=webserver
      fab -H worker1 restart
      fab restart --role=worker --force    # exit with 0 even if tasks had to be killed
    """
    from aerodrome.components.order import role_stages
    from aerodrome.core.stage import only

    with session(context, wait) as run:
        roles = pick_roles(run.fleet, role)
        converge(run, lambda inputs: only(role_stages(inputs, roles, again=True), run.names), force)


@task(help={**CHANGES, **FORCE})
def stop(context: Any, role: str | None = None, wait: str | None = None, force: bool = False) -> None:
    """Stop, workers first; they finish their running tasks. Enabled units start again at boot.

    Units whose role hosts.yaml no longer gives to their host are stopped too.

    Examples:
      fab stop
      fab -H worker1 stop                   # before maintenance on this machine
      fab stop --role=scheduler --wait=5m
    """
    from aerodrome.components.order import stop_stages
    from aerodrome.core.stage import only

    with session(context, wait) as run:
        roles = pick_roles(run.fleet, role, unused=True)
        converge(run, lambda inputs: only(stop_stages(inputs, roles), run.names), force)


PORTS = "show the open ports of each host instead, with the program and who may reach it"


@task(help={**ROLE, "json": "print JSON", "ports": PORTS})
def status(context: Any, role: str | None = None, json: bool = False, ports: bool = False) -> None:
    """Show the unit and the health of every role. Exit code 1 if anything is not healthy.

    Examples:
      fab status
      fab status --role=worker --json    # for a program
      fab status --ports                 # what is open on each host, and to whom
    """
    from aerodrome.engine.status import status as look
    from aerodrome.report.json import show_status_as_json
    from aerodrome.report.status import show_status
    from aerodrome.report.terminal import say

    with session(context) as run:
        if ports:
            _show_ports(run, json)
            return
        rows, notes = look(run.run, run.hosts, pick_roles(run.fleet, role, unused=True))
    for note in notes:
        say(f"note: {note}")
    (show_status_as_json if json else show_status)(rows)
    if not rows or not all(row.healthy for row in rows):
        sys.exit(1)


def _show_ports(run: Session, json: bool) -> None:
    """Print what listens on the hosts; a host that cannot be asked does not hide the others."""
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


@task(help={**ROLE, "follow": "go on until Ctrl-C", "lines": "how many of the last entries of each unit"})
def logs(context: Any, role: str | None = None, follow: bool = False, lines: str = "50") -> None:
    """Show the units' journals in order of time, each line with its host and role.

    Examples:
      fab logs --role=scheduler --follow
      fab -H worker1 logs --lines=500
      fab logs --lines=0 --follow          # only what comes from now on
    """
    from aerodrome.report.journal import Journal
    from tasks.numbers import number

    count = number("lines", lines, 0, 100_000)
    with session(context) as run:
        roles = pick_roles(run.fleet, role)
        hosts = _with_units(run, roles)
        journal = Journal([host.name for host in hosts], roles, follow)
        try:
            _read_journals(run, hosts, roles, count, journal)
        finally:
            journal.close()


def _read_journals(run: Session, hosts: list[Host], roles: list[str], lines: int, journal: Journal) -> None:
    """Read the journals of all hosts at once."""
    from threading import Event

    from aerodrome.components.logs import journal_script, journal_units
    from aerodrome.engine.hints import last_words
    from aerodrome.errors import HostError, reading
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.terminal import waiting_for

    # Generous for the entries that were asked for; followed, a journal has no end.
    most = max(run.fleet.deploy.output_limit, lines * 2 // 1000)

    def read(host: Host) -> None:
        units = journal_units(run.inputs, host, roles)
        reader = journal.reader(host.name, units)
        script = journal_script(units, lines, journal.follow)
        hold = Event() if journal.follow else None
        limit = Limit.stream() if journal.follow else Limit(run.fleet.deploy.probe_timeout, most)
        with reading(host.name, "logs"):
            output = run_script(run.connections, host, script, on_text=reader.read, hold=hold, limit=limit, keep=False)
        if output.errors and not reader.entries:
            raise HostError(host.name, "logs", "its journal cannot be read", "", last_words(output.errors))

    waiting = waiting_for(None if journal.follow else "its journals")
    each(hosts, read, len(hosts) if journal.follow else run.fleet.deploy.parallel, waiting)


def _with_units(run: Session, roles: list[str]) -> list[Host]:
    return [host for host in run.hosts if set(run.fleet.roles_of(host)) & set(roles)]
