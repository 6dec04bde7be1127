"""How the whole fleet does: every role, what one host needs of another, and what should no longer run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aerodrome.components.health import Health, leftover_health, leftover_script, unreachable
from aerodrome.components.left import left_services
from aerodrome.components.task_logs import judged, log_servers, read_task_logs, task_logs_script
from aerodrome.core.resource import Seen
from aerodrome.engine.converge import Run
from aerodrome.errors import HostError, reading
from aerodrome.fleet.model import Host
from aerodrome.remote.parallel import each
from aerodrome.remote.run import run as run_script


def status(run: Run, hosts: Sequence[Host], roles: Sequence[str]) -> tuple[list[Health], list[str]]:
    """Look at the health of `roles` on `hosts`, whether task logs can be read, and at units that are not wanted.

    Return the health of each, and notes on services with data that are left where hosts.yaml no longer has them.
    """
    rows = run.status(hosts, roles)
    problems = _task_logs(run, rows)
    rows = [judged(row, problems.get(row.host, ())) if row.role == "webserver" else row for row in rows]
    leftovers, notes = _leftovers(run, [host for host in run.fleet.asked() if host in hosts], roles)
    return rows + leftovers, notes


def _task_logs(run: Run, rows: Sequence[Health]) -> Mapping[str, list[str]]:
    """Return what keeps healthy web servers from reading the logs of tasks, by host."""
    servers = log_servers(run.inputs, rows)
    asked = [row.host for row in rows if row.role == "webserver" and row.healthy]

    def look(host: Host) -> list[str]:
        try:
            output = run_script(run.connections, host, task_logs_script(run.inputs, servers))
            with reading(host.name, "task logs"):
                return read_task_logs(host.name, servers, output.text)
        except HostError as error:
            return [f"task logs could not be tried: {error.message}"]

    return each(run.hosts(asked), look, run.fleet.deploy.parallel) if servers and asked else {}


def _leftovers(run: Run, hosts: Sequence[Host], roles: Sequence[str]) -> tuple[list[Health], list[str]]:
    """Return the units of `roles` that run, or are enabled, where hosts.yaml does not have them, and the notes."""

    def look(host: Host) -> tuple[list[Health], list[str]]:
        services = left_services(run.inputs, host)
        try:
            script = f"{leftover_script(run.inputs, host)}{services.probe()}\n"
            output = run_script(run.connections, host, script)
            with reading(host.name, "status"):
                rows = leftover_health(run.inputs, host.name, output.text)
        except HostError as error:
            # Of a host with roles it is said already.
            return [] if run.fleet.roles_of(host) else [unreachable(host.name, "-", error.message)], []
        notes = [f"{host.name}: {note}" for note in services.notes(Seen(output.text))]
        return [row for row in rows if row.role in roles], notes

    found = each(hosts, look, run.fleet.deploy.parallel).values()
    return [row for rows, _ in found for row in rows], [note for _, notes in found for note in notes]
