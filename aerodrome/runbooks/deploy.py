"""Deploy: which part of which host comes when."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from aerodrome.components.component import AirflowRole
from aerodrome.components.firewall import firewall
from aerodrome.components.halt import halted, resumed
from aerodrome.components.inputs import Inputs
from aerodrome.components.left import left
from aerodrome.components.node import SETTINGS, node
from aerodrome.components.notes import setting_notes
from aerodrome.components.together import asked_together
from aerodrome.components.units import retired
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.runbooks.units import members, role_stages


def deploy(
    inputs: Inputs,
    hosts: Collection[str],
    roles: Collection[str],
    accept_downtime: bool = False,
    force: bool = False,
) -> Runbook:
    """Bring everything to the state in hosts.yaml, in order, for these hosts and roles only."""
    inputs = replace(inputs, accept_downtime=accept_downtime, force=force)
    return Runbook("deploy", tuple(stages(inputs, hosts, roles)), force, tuple(setting_notes(inputs)))


def stages(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> list[Stage]:
    """Return the stages of a deploy, for these hosts and roles only."""
    fleet = inputs.fleet
    placed = {name: names for name, names in fleet.roles.items() if names}
    inputs = replace(inputs, whole=set(placed) <= set(roles) and set().union(*placed.values()) <= set(hosts))
    machines: dict[str, list[Step]] = {}
    settings: dict[str, list[Step]] = {}
    for name in (name for name in fleet.services if name in roles):
        for host in fleet.with_role(name):
            machines.setdefault(host.name, []).extend(inputs.components[name].machine(inputs, host))
            settings.setdefault(host.name, []).extend(inputs.components[name].settings(inputs, host))
    for host in fleet.nodes():
        if set(inputs.roles(host)) & set(roles):
            steps = node(inputs, host)
            machines.setdefault(host.name, []).extend(step for step in steps if step.name not in SETTINGS)
            settings.setdefault(host.name, []).extend(step for step in steps if step.name in SETTINGS)
    # A second scheduler must not go on beside the first of its kind. Workers end their tasks, which may need the web
    # server of before until then.
    schedulers, *others = (_retire(inputs, name, starting, roles) for name, starting in members(inputs).items())
    for name, steps in machines.items():
        steps.append(firewall(inputs, fleet.hosts[name]))
    halts = _halt_stages(inputs) if inputs.whole else []
    # Nothing that a node is made of needs the database or the broker: all are set up at once, before any role starts.
    # What can go wrong without a need to stop anything has been done by the time when something stops.
    # Whatever has been halted is started again as long as nothing has been changed that it runs on.
    downtime = inputs.accept_downtime
    parts = [Stage("machines", machines, {}, commits=downtime), schedulers]
    parts = [*halts, *parts] if downtime else [*parts, *halts]
    parts.append(Stage("settings", settings, {}, commits=not downtime))
    parts += [*role_stages(inputs, roles), *reversed(others)]
    if inputs.whole:
        closes: dict[str, list[Step]] = {}
        for name in fleet.services:
            for host in fleet.with_role(name):
                closes.setdefault(host.name, []).extend(inputs.components[name].afterwards(inputs))
        parts.append(Stage("access", {host: steps for host, steps in closes.items() if steps}, {}))
    if set(roles) >= set(fleet.roles):
        parts.append(Stage("leftovers", {host.name: left(inputs, host) for host in fleet.asked()}, {}))
    return asked_together(only(parts, hosts))


def _halt_stages(inputs: Inputs) -> list[Stage]:
    """Return the stages in which all stops where Airflow's version changes, or Celery's users where its broker moves.

    The schedulers come first, so that nothing new is queued, then the workers, once they have ended all that was: until
    then they need the web server (Airflow 3).
    """
    fleet, downtime = inputs.fleet, inputs.accept_downtime
    celery = fleet.airflow.executor == "CeleryExecutor"
    if not celery and not downtime:
        return []
    way_back = {host.name: resumed(inputs, host) for host in fleet.nodes()}
    way_back = {host: steps for host, steps in way_back.items() if steps}

    def stop(name: str, roles: Sequence[str], last: bool = False) -> Stage:
        # Where versions change, what runs where it should not has to stop too.
        hosts = fleet.asked() if downtime else [host for host in fleet.nodes() if set(roles) & set(inputs.roles(host))]
        return Stage(name, {host.name: [halted(inputs, host, roles, last)] for host in hosts}, {})

    parts = []
    for role in (role for role in inputs.every_role if role.uses_celery):
        everywhere = stop(f"stop {role.name}s", [role.name])
        if not role.first_alone:
            parts.append(everywhere)
            continue
        first = fleet.roles[role.name][0]
        parts += only([replace(everywhere, name=f"stop other {role.name}s")], set(everywhere.steps) - {first})
        parts += only([stop(f"stop {role.name}", [role.name], last=celery)], [first])
    if downtime:
        parts.append(stop("stop others", [role.name for role in inputs.every_role if not role.uses_celery]))
    return [replace(part, way_back=way_back) for part in parts]


def _retire(inputs: Inputs, name: str, starting: Sequence[AirflowRole], roles: Collection[str]) -> Stage:
    """Return the stage in which units end that hosts.yaml no longer has on a host."""
    ending = [role.name for role in starting if role.name in roles]
    steps = {host.name: [retired(inputs, host, name, ending)] for host in inputs.fleet.asked()}
    return Stage(f"retire {name}", {host: found for host, found in steps.items() if found[0].resources}, {})
