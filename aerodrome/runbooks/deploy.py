"""Deploy: the order in which the parts of all hosts are set up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from aerodrome.checks.kept_upgrade import KeptUpgrade
from aerodrome.checks.upgrade import Unfinished
from aerodrome.components.dag_imports import compared
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
    run: str = "",
    allow_import_errors: bool = False,
) -> Runbook:
    """Bring these hosts and roles to the state in hosts.yaml, in order.

    `run` imports all DAGs before a node uses another environment of the Airflow in use.
    """
    inputs = replace(
        inputs,
        accept_downtime=accept_downtime,
        force=force,
        imports=run,
        allow_import_errors=allow_import_errors,
    )
    parts = [_unless_unfinished(inputs, stage) for stage in stages(inputs, hosts, roles)]
    return Runbook("deploy", tuple(parts), force, tuple(setting_notes(inputs)))


def _unless_unfinished(inputs: Inputs, stage: Stage) -> Stage:
    """Return a stage that refuses to begin in the middle of an upgrade, if the host that records it is a part of it.

    It also notes what a finished upgrade still keeps.
    """
    host = inputs.fleet.lock_host.name
    if stage.name != "machines" or host not in stage.steps:
        return stage
    kept = (KeptUpgrade(inputs.fleet.database.name),) if inputs.fleet.database.managed else ()
    asks = Step("deploy.upgrade", (), (Unfinished(), *kept))
    return replace(stage, steps={**stage.steps, host: [asks, *stage.steps[host]]})


def stages(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> list[Stage]:
    """Return the stages of a deploy of these hosts and roles."""
    fleet = inputs.fleet
    placed = {name: names for name, names in fleet.roles.items() if names}
    inputs = replace(inputs, whole=set(placed) <= set(roles) and set().union(*placed.values()) <= set(hosts))
    machines, settings = _machines(inputs, roles)
    early, late = _retire_stages(inputs, roles)
    halts = halt_stages(inputs) if inputs.whole else []
    # Setting up a node needs neither the database nor the broker, so all hosts are set up together before any role
    # starts. Whatever can fail without stopping anything runs before the first stop.
    # Units that have been halted are started again, unless something that they run on has already changed.
    downtime = inputs.accept_downtime
    imports = {host.name: [compared(inputs, host)] for host in fleet.nodes() if inputs.imports}
    checks = Stage("DAGs", {host: steps for host, steps in imports.items() if host in settings}, {})
    parts = [Stage("machines", machines, {}, commits=downtime), checks, *early]
    parts = [*halts, *parts] if downtime else [*parts, *halts]
    parts.append(Stage("settings", settings, {}, commits=not downtime))
    parts += [*role_stages(inputs, roles), *late]
    if inputs.whole:
        closes: dict[str, list[Step]] = {}
        for component in inputs.components.values():
            for host in fleet.with_role(component.name):
                closes.setdefault(host.name, []).extend(component.afterwards(inputs))
        parts.append(Stage("access", {host: steps for host, steps in closes.items() if steps}, {}))
    if set(roles) >= set(fleet.roles):
        parts.append(Stage("leftovers", {host.name: left(inputs, host) for host in fleet.asked()}, {}))
    return asked_together(only(parts, hosts))


def _machines(inputs: Inputs, roles: Collection[str]) -> tuple[dict[str, list[Step]], dict[str, list[Step]]]:
    """Return the steps that set up each host: those that no running unit notices, then the settings that units read."""
    fleet = inputs.fleet
    machines: dict[str, list[Step]] = {}
    settings: dict[str, list[Step]] = {}
    for component in (each for each in inputs.components.values() if each.name in roles):
        for host in fleet.with_role(component.name):
            if own := component.machine(inputs, host):
                machines.setdefault(host.name, []).extend(own)
            if own := component.settings(inputs, host):
                settings.setdefault(host.name, []).extend(own)
    for host in fleet.nodes():
        if set(inputs.roles(host)) & set(roles):
            steps = node(inputs, host, late=True)
            machines.setdefault(host.name, []).extend(step for step in steps if step.name not in SETTINGS)
            settings.setdefault(host.name, []).extend(step for step in steps if step.name in SETTINGS)
    for name, steps in machines.items():
        steps.append(firewall(inputs, fleet.hosts[name]))
    return machines, settings


def halt_stages(inputs: Inputs, waits: bool = True) -> list[Stage]:
    """Return the stages that stop everything if Airflow's version changes, or Celery's users if its broker moves.

    Schedulers stop first, so that nothing new is queued. Workers follow once they have finished what was queued, unless
    nobody `waits` for that; until then they need the web server (Airflow 3).
    """
    fleet, downtime = inputs.fleet, inputs.accept_downtime
    celery = fleet.airflow.executor == "CeleryExecutor"
    if not celery and not downtime:
        return []
    way_back = {host.name: resumed(inputs, host) for host in fleet.nodes()}
    way_back = {host: steps for host, steps in way_back.items() if steps}

    def stop(name: str, roles: Sequence[str], last: bool = False) -> Stage:
        # If the version changes, units that run where they should not have to stop too.
        hosts = fleet.asked() if downtime else [host for host in fleet.nodes() if set(roles) & set(inputs.roles(host))]
        return Stage(name, {host.name: [halted(inputs, host, roles, last)] for host in hosts}, {})

    parts = []
    for role in (role for role in inputs.every_role if role.uses_celery):
        everywhere = stop(f"stop {role.name}s", [role.name])
        if not role.first_alone or not fleet.roles[role.name]:
            parts.append(everywhere)
            continue
        first = fleet.roles[role.name][0]
        parts += only([replace(everywhere, name=f"stop other {role.name}s")], set(everywhere.steps) - {first})
        parts += only([stop(f"stop {role.name}", [role.name], last=celery and waits)], [first])
    if downtime:
        parts.append(stop("stop others", [role.name for role in inputs.every_role if not role.uses_celery]))
    return [replace(part, way_back=way_back) for part in parts]


def _retire_stages(inputs: Inputs, roles: Collection[str]) -> tuple[list[Stage], list[Stage]]:
    """Return the stages that stop units no longer in hosts.yaml: those before other units start, then those after.

    A second scheduler must not run beside the new first one, so it stops early. A worker stops late: it finishes its
    tasks first, and they may need the old web server until then.
    """
    early: list[Stage] = []
    late: list[Stage] = []
    for name, starting in members(inputs).items():
        ending = [role.name for role in starting if role.name in roles]
        steps = {host.name: [retired(inputs, host, name, ending)] for host in inputs.fleet.asked()}
        stage = Stage(f"retire {name}", {host: found for host, found in steps.items() if found[0].resources}, {})
        (early if any(role.first_alone for role in starting) else late).append(stage)
    return early, late[::-1]
