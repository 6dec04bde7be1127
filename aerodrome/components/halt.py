"""Stop units before a change that their tasks would not survive: another version of Airflow, or a moved broker.

The version changes only if the operator allows the downtime. Only a run for the whole fleet moves the broker or
results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aerodrome.checks.celery import Unmoved
from aerodrome.components.census import drain, unreported
from aerodrome.components.command import connection
from aerodrome.components.environment import environment, role_environment
from aerodrome.components.inputs import Inputs
from aerodrome.components.version import installation, python_in_use
from aerodrome.core.resource import NOTE, WAITING
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.resources.celery import Places, lines, places
from aerodrome.resources.halted import Cause, Halted, Resumed, Wait
from aerodrome.secrets import Secret


def halted(inputs: Inputs, host: Host, roles: Sequence[str], last: bool = False) -> Step:
    """Return the step that stops the units of `roles` on a host before such a change; `last` waits for all tasks."""
    wait = _wait(inputs, host) if last else None
    running = inputs.running or inputs  # units stop as their version needs it, to wait for their tasks and to name them
    at = running.fleet.hosts[host.name]
    version: list[Cause] = [installation(inputs)] if inputs.accept_downtime else []
    units = tuple(
        Halted((*version, *celery_places(inputs, host, role)), inputs.unit(role), wait, drain(running, at, role))
        for role in roles
    )
    told = [each for role in roles for each in unreported(inputs, role)]
    return Step(f"halt.{roles[0]}", (*units, *told))


def resumed(inputs: Inputs, host: Host) -> list[Step]:
    """Return the steps that restart a host's units with their previous settings if not all could be halted."""
    halting = [role for role in inputs.roles_on(host) if inputs.accept_downtime or role.uses_celery]
    units = [Resumed(role.unit(inputs)) for role in halting]
    return [Step("halt.undone", tuple(units))] if units else []


def unmoved(inputs: Inputs, host: Host) -> tuple[Unmoved, ...]:
    """Return the checks that stop a partial run from moving broker or results; none if the whole fleet is deployed."""
    users = [role for role in inputs.roles_on(host) if role.uses_celery]
    if inputs.whole or not users:
        return ()
    units = tuple(role.unit(inputs) for role in users)
    return tuple(Unmoved(where, units) for where in celery_places(inputs, host, users[0].name))


def celery_places(inputs: Inputs, host: Host, role: str) -> tuple[Places, ...]:
    """Return where a role's processes should look for broker and results; nothing if they use neither."""
    users = [each.name for each in inputs.roles_on(host) if each.uses_celery]
    if inputs.fleet.airflow.executor != "CeleryExecutor" or role not in users:
        return ()
    # Whoever set up a host by hand may have used any of these names for its servers.
    names = {each.name: each.address for each in inputs.fleet.hosts.values()}
    names |= dict.fromkeys(("localhost", "127.0.0.1", "[::1]"), host.address)
    files = (inputs.kept_file, inputs.environment_file, inputs.role_file(role))
    shared = replace(inputs, fleet=replace(inputs.fleet, broker=replace(inputs.fleet.broker, separate=False)))
    before, variables = places(_variables(shared, host, role), names), _variables(inputs, host, role)
    return (Places(files, places(variables, names), lines(variables), tuple(names.items()), before),)


def _variables(inputs: Inputs, host: Host, role: str) -> dict[str, str]:
    given = {**environment(inputs, host), **role_environment(inputs, host, role)}
    return {name: value.reveal() if isinstance(value, Secret) else value for name, value in given.items()}


def _wait(inputs: Inputs, host: Host) -> Wait:
    limit = inputs.fleet.deploy.drain_timeout
    given = {"seconds": limit, "force": inputs.force, "waiting": WAITING, "note": NOTE}
    waits = python_in_use(inputs, program("drained", **given, **connection(inputs)), inputs.role_for_commands(host))
    return Wait(
        f"{installation(inputs).find()}\n{waits}", f"wait until no task is queued or running, at most {limit} s"
    )
