"""The units' journals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import ROLE, Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.fleet.model import Host
    from aerodrome.report.journal import Journal


@task(help={**ROLE, "follow": "keep printing until Ctrl-C", "lines": "number of latest entries per unit"})
def logs(context: Any, role: str | None = None, follow: bool = False, lines: str = "50") -> None:
    """Show the units' journals in time order, each line with its host and role.

    Examples:
      fab logs --role=scheduler --follow
      fab -H worker1 logs --lines=500
      fab logs --lines=0 --follow          # only new entries
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
    """Read the journals of all hosts in parallel."""
    from aerodrome.components.logs import journal_script, journal_units
    from aerodrome.engine.words import last_words
    from aerodrome.errors import HostError, reading
    from aerodrome.remote.hold import Hold
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.output import waiting_for

    # Generous for the requested entries; a followed journal has no end.
    most = max(run.fleet.deploy.output_limit, lines * 2 // 1000)

    def read(host: Host) -> None:
        units = journal_units(run.inputs, host, roles)
        reader = journal.reader(host.name, units)
        script = journal_script(units, lines, journal.follow)
        hold = Hold() if journal.follow else None
        limit = Limit.stream() if journal.follow else Limit(run.fleet.deploy.probe_timeout, most)
        with reading(host.name, "logs"):
            output = run_script(run.connections, host, script, on_text=reader.read, hold=hold, limit=limit, keep=False)
        if output.errors and not reader.entries:
            raise HostError(host.name, "logs", "cannot read its journal", "", last_words(output.errors))

    waiting = waiting_for(None if journal.follow else "its journals")
    each(hosts, read, len(hosts) if journal.follow else run.fleet.deploy.parallel, waiting)


def _with_units(run: Session, roles: list[str]) -> list[Host]:
    return [host for host in run.hosts if set(run.fleet.roles_of(host)) & set(roles)]
