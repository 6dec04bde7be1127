"""How the whole fleet does: every role, what one host needs of another, and what should no longer run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aerodrome.blueprint.health import Health, leftover_health, leftover_script, unreachable
from aerodrome.blueprint.task_logs import judged, log_servers, read_task_logs, task_logs_script
from aerodrome.errors import HostError, reading
from aerodrome.fleet import Host
from aerodrome.remote.converge import Run
from aerodrome.remote.parallel import each
from aerodrome.remote.run import run as run_script


def status(run: Run, hosts: Sequence[Host], roles: Sequence[str]) -> list[Health]:
    """Look at the health of `roles` on `hosts`, whether task logs can be read, and at units that are not wanted."""
    rows = run.status(hosts, roles)
    problems = _task_logs(run, rows)
    rows = [judged(row, problems.get(row.host, ())) if row.role == "webserver" else row for row in rows]
    return rows + _leftovers(run, [host for host in run.fleet.asked() if host in hosts], roles)


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


def _leftovers(run: Run, hosts: Sequence[Host], roles: Sequence[str]) -> list[Health]:
    """Return the units of `roles` that run, or are enabled, where hosts.yaml does not have them."""

    def look(host: Host) -> list[Health]:
        try:
            output = run_script(run.connections, host, leftover_script(run.inputs, host))
            with reading(host.name, "status"):
                rows = leftover_health(run.inputs, host.name, output.text)
        except HostError as error:
            # Of a host with roles it is said already.
            return [] if run.fleet.roles_of(host) else [unreachable(host.name, "-", error.message)]
        return [row for row in rows if row.role in roles]

    found = each(hosts, look, run.fleet.deploy.parallel)
    return [row for rows in found.values() for row in rows]
