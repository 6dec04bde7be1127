"""Start, restart and stop the units of roles, host after host."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.health import RoleHealth
from aerodrome.components.inputs import Inputs
from aerodrome.components.roles import role, stopped, unwanted_roles
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only

# Stage → the roles that start in it (design: order across hosts). The first scheduler has a stage of its own.
STAGES = {
    "schedulers": ("scheduler", "dag-processor", "triggerer"),
    "webservers": ("webserver",),
    "workers": ("worker",),
}


def start(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Set up and start the units of `roles`, in deploy's order."""
    return Runbook("start", tuple(only(role_stages(inputs, roles), hosts)))


def restart(inputs: Inputs, hosts: Collection[str], roles: Collection[str], force: bool = False) -> Runbook:
    """Restart the units of `roles`, in deploy's order, one host of a role at a time."""
    return Runbook("restart", tuple(only(role_stages(inputs, roles, again=True), hosts)), force)


def stop(inputs: Inputs, hosts: Collection[str], roles: Collection[str], force: bool = False) -> Runbook:
    """Stop the units of `roles`, workers first."""
    return Runbook("stop", tuple(only(stop_stages(inputs, roles), hosts)), force)


def role_stages(inputs: Inputs, roles: Collection[str], again: bool = False) -> list[Stage]:
    """Return the stages in which the units of `roles` start, or with `again` restart."""
    fleet = inputs.fleet
    first = fleet.with_role("scheduler")[0]
    parts = []
    if "scheduler" in roles:
        step = role(inputs, first, "scheduler", again)
        parts.append(Stage("scheduler", {first.name: [step]}, {first.name: RoleHealth(inputs, first, ("scheduler",))}))
    for name, members in STAGES.items():
        starts = {
            host.name: [
                member
                for member in members
                if member in inputs.roles(host) and member in roles and (member, host) != ("scheduler", first)
            ]
            for host in fleet.nodes()
        }
        steps = {
            host: [role(inputs, fleet.hosts[host], member, again) for member in mine]
            for host, mine in starts.items()
            if mine
        }
        gates = {host: RoleHealth(inputs, fleet.hosts[host], tuple(starts[host])) for host in steps}
        parts.append(Stage(name, steps, gates))
    return parts


def stop_stages(inputs: Inputs, roles: Collection[str]) -> list[Stage]:
    """Return the stages in which the units of `roles` stop: the other way round, so workers come first.

    At the end those that hosts.yaml no longer has on a host.
    """
    parts = []
    for name in reversed(inputs.catalogue.roles):
        hosts = [host for host in inputs.fleet.nodes() if name in roles and name in inputs.roles(host)]
        parts.append(Stage(f"stop {name}", {host.name: [stopped(inputs, host, name)] for host in hosts}, {}))
    leftovers = {
        host.name: [stopped(inputs, host, name) for name in reversed(unwanted_roles(inputs, host)) if name in roles]
        for host in inputs.fleet.asked()
    }
    parts.append(Stage("stop leftovers", {host: steps for host, steps in leftovers.items() if steps}, {}))
    return parts
