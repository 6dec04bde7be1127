"""The status of the whole fleet: every role, what hosts need from each other, and units that should no longer run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from aerodrome.checks.kept_upgrade import KeptUpgrade
from aerodrome.components.health import Health, Leftovers, RoleHealth, fleet_wide, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.components.left import left_services
from aerodrome.components.task_logs import TaskLogs, log_servers
from aerodrome.core.check import Finding, Look, Watch
from aerodrome.fleet.model import Host

# Runs checks on each host, by name, and returns their findings.


def status(inputs: Inputs, hosts: Sequence[Host], roles: Collection[str], look: Look) -> tuple[list[Health], list[str]]:
    """Return the health of `roles` on `hosts`, including units that run although hosts.yaml does not have them.

    The second value is notes: on services with data that were left where hosts.yaml no longer has them, and on what an
    upgrade still keeps.
    """
    rows = [fleet_wide(inputs, row) for row in _rows(look({host.name: _checks(inputs, host, roles) for host in hosts}))]
    problems = look(_task_logs(inputs, rows))
    asked = [host for host in inputs.fleet.asked() if host in hosts]
    found = look({host.name: _left(inputs, host, roles) for host in asked})
    notes = [
        f"{name}: {each.detail}" for name, findings in found.items() for each in findings if each.verdict == "warning"
    ]
    leftovers = {name: [each for each in findings if each.verdict != "warning"] for name, findings in found.items()}
    readers = _readers(inputs)
    rows = [_with_task_logs(row, problems.get(row.host, ())) if row.role in readers else row for row in rows]
    return rows + _rows(leftovers), notes


def _rows(found: Mapping[str, Sequence[Finding]]) -> list[Health]:
    return [
        row if isinstance(row, Health) else unreachable(host, row.subject, row.detail)
        for host, rows in found.items()
        for row in rows
    ]


def _checks(inputs: Inputs, host: Host, roles: Collection[str]) -> list[Watch]:
    here = [inputs.components[name] for name in inputs.fleet.roles_of(host) if name in roles]
    checks = [watch for component in here for watch in component.watches(inputs, host)]
    if mine := tuple(role for role in inputs.roles(host) if role in roles):
        checks.append(RoleHealth(inputs, host, mine))
    return checks


def _left(inputs: Inputs, host: Host, roles: Collection[str]) -> list[Watch]:
    """Return the checks of what is left on a host: by an earlier hosts.yaml, or by an upgrade."""
    checks: list[Watch] = [Leftovers(inputs, host, roles, left_services(inputs, host))]
    if inputs.fleet.database.managed and host == inputs.fleet.lock_host:
        checks.append(KeptUpgrade(inputs.fleet.database.name))
    return checks


def _task_logs(inputs: Inputs, rows: Sequence[Health]) -> dict[str, list[Watch]]:
    """Return the checks of task logs, on each host with a healthy role that reads them."""
    servers = log_servers(inputs, rows)
    readers = [row for row in rows if row.role in _readers(inputs) and row.ok]
    return {row.host: [TaskLogs(inputs, inputs.fleet.hosts[row.host], row.role, servers)] for row in readers if servers}


def _readers(inputs: Inputs) -> list[str]:
    return [role.name for role in inputs.version_roles if role.reads_logs]


def _with_task_logs(row: Health, problems: Sequence[Finding]) -> Health:
    """Return a role's health: a web server that cannot read task logs is not healthy."""
    if not problems:
        return row
    return replace(row, verdict="failed", detail="; ".join([row.detail, *(problem.detail for problem in problems)]))
