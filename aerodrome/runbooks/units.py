"""Start, restart and stop the units of roles, host by host."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.component import AirflowRole
from aerodrome.components.health import RoleHealth
from aerodrome.components.inputs import Inputs
from aerodrome.components.units import started, stopped, unwanted_roles
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only


def members(inputs: Inputs) -> dict[str, list[AirflowRole]]:
    """Return the roles that start in each stage, in the order of the stages."""
    found: dict[str, list[AirflowRole]] = {}
    for role in inputs.every_role:
        found.setdefault(role.stage, []).append(role)
    return found


def start(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Set up and start the units of `roles`, in deploy's order."""
    return Runbook("start", tuple(only(role_stages(inputs, roles), hosts)), secrets=False)


def restart(inputs: Inputs, hosts: Collection[str], roles: Collection[str], force: bool = False) -> Runbook:
    """Restart the units of `roles`, one host of a role at a time, in deploy's order; what tasks need comes first."""
    parts = needed_first(inputs, role_stages(inputs, roles, again=True))
    return Runbook("restart", tuple(only(parts, hosts)), force, secrets=False)


def stop(inputs: Inputs, hosts: Collection[str], roles: Collection[str], force: bool = False) -> Runbook:
    """Stop the units of `roles`, schedulers first."""
    return Runbook("stop", tuple(only(stop_stages(inputs, roles), hosts)), force, secrets=False)


def needed_first(inputs: Inputs, parts: list[Stage]) -> list[Stage]:
    """Return stages that start units, with those first that tasks need: in Airflow 3, the web servers'.

    Only where the database has been migrated: the first scheduler's unit does that.
    """
    needed = {role.stage for role in inputs.version_roles if 0 < role.tasks_need_it <= inputs.catalogue.major}
    return sorted(parts, key=lambda stage: stage.name not in needed)


def role_stages(inputs: Inputs, roles: Collection[str], again: bool = False) -> list[Stage]:
    """Return the stages that start the units of `roles`, or restart them with `again`."""
    fleet, parts = inputs.fleet, []
    leaders = [role.name for role in inputs.version_roles if role.first_alone and fleet.roles[role.name]]
    alone = {name: fleet.with_role(name)[0] for name in leaders}
    for name, first in alone.items():
        if name in roles:
            step, gate = started(inputs, first, name, again), RoleHealth(inputs, first, (name,))
            parts.append(Stage(name, {first.name: [step]}, {first.name: gate}))
    for stage, starting in members(inputs).items():
        names = [role.name for role in starting if role.name in roles]
        starts = {
            host.name: [name for name in inputs.roles(host) if name in names and alone.get(name) != host]
            for host in fleet.nodes()
        }
        steps = {
            host: [started(inputs, fleet.hosts[host], name, again) for name in mine]
            for host, mine in starts.items()
            if mine
        }
        gates = {host: RoleHealth(inputs, fleet.hosts[host], tuple(starts[host])) for host in steps}
        parts.append(Stage(stage, steps, gates))
    return parts


def stop_stages(inputs: Inputs, roles: Collection[str]) -> list[Stage]:
    """Return the stages that stop the units of `roles`: schedulers, then the others in reverse order, workers first.

    A scheduler would continue to queue tasks, and no worker would take them. Tasks that still run need the web server
    (Airflow 3). The last stage stops units that hosts.yaml no longer has on a host.
    """
    parts = []
    backwards = inputs.version_roles[::-1]
    for name in [role.name for role in sorted(backwards, key=lambda role: not role.first_alone)]:
        hosts = [host for host in inputs.fleet.nodes() if name in roles and name in inputs.roles(host)]
        parts.append(Stage(f"stop {name}", {host.name: [stopped(inputs, host, name)] for host in hosts}, {}))
    leftovers = {
        host.name: [stopped(inputs, host, name) for name in reversed(unwanted_roles(inputs, host)) if name in roles]
        for host in inputs.fleet.asked()
    }
    parts.append(Stage("stop leftovers", {host: steps for host, steps in leftovers.items() if steps}, {}))
    return parts
