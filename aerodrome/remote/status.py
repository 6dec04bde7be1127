"""How the whole fleet does: every role, and what one host needs of another."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.blueprint.health import Health
from aerodrome.blueprint.task_logs import judged, log_servers, read_task_logs, task_logs_script
from aerodrome.errors import HostError
from aerodrome.fleet import Host
from aerodrome.remote.converge import Run
from aerodrome.remote.parallel import each
from aerodrome.remote.run import run as run_script


def status(run: Run, hosts: Sequence[Host], roles: Sequence[str]) -> list[Health]:
    """Look at the health of `roles` on `hosts`, and whether healthy web servers can read the logs of tasks."""
    rows = run.status(hosts, roles)
    servers = log_servers(run.inputs, rows)
    asked = [row.host for row in rows if row.role == "webserver" and row.healthy]
    if not servers or not asked:
        return rows

    def look(host: Host) -> list[str]:
        try:
            output = run_script(run.connections, host, task_logs_script(run.inputs, servers))
        except HostError as error:
            return [f"task logs could not be tried: {error.message}"]
        return read_task_logs(host.name, servers, output.text)

    problems = each(run.hosts(asked), look, run.fleet.deploy.parallel)
    return [judged(row, problems.get(row.host, ())) if row.role == "webserver" else row for row in rows]
