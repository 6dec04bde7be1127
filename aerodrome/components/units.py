"""Steps 3 to 5 of the guide: the units of each role, with drop-ins, enabled and running."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.census import drain, unreported
from aerodrome.components.component import AirflowRole
from aerodrome.components.inputs import Inputs
from aerodrome.components.ports import role_ports
from aerodrome.components.sandbox import sandbox
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.render import render_parts
from aerodrome.resources.files import File
from aerodrome.resources.retired import Retired
from aerodrome.resources.systemd import Service, Stopped


def started(inputs: Inputs, host: Host, name: str, again: bool = False) -> Step:
    """Return the step that makes `host` run the role `name`; `again` restarts it if it is running."""
    component = inputs.role(name)
    units = tuple((inputs.unit(each), reads(inputs, each)) for each in inputs.roles(host))
    beside = units if len(units) > 1 else ()
    before, how = component.before_start(inputs, host), drain(inputs, host, name)
    service = Service(inputs.unit(name), reads(inputs, name), again, before, how, beside)
    parts = (_dropin(inputs, host, component), *component.resources(inputs), *unreported(inputs, name))
    return Step(
        f"roles.{name}", (*parts, service), (*component.requires(inputs, host), *role_ports(inputs, host, component))
    )


def stopped(inputs: Inputs, host: Host, name: str) -> Step:
    """Return the step that stops the role `name` on a host for now."""
    unit = Stopped(inputs.unit(name), drain(inputs, host, name))
    return Step(f"roles.{name}", (*unreported(inputs, name), unit))


def retired(inputs: Inputs, host: Host, name: str, roles: Collection[str]) -> Step:
    """Return the step that stops those units of `roles` that `host` should not run; `name` distinguishes such steps."""
    unwanted = unwanted_roles(inputs, host)
    ending = [role for role in unwanted if role in roles]
    drains = {inputs.unit(role): drain(inputs, host, role) for role in ending}
    resource = Retired(
        tuple(inputs.unit(role) for role in unwanted),
        tuple(drains),
        tuple((unit, how) for unit, how in drains.items() if how),
    )
    told = [each for role in ending for each in unreported(inputs, role)]
    return Step(f"retire.{name}", (*told, resource) if ending else ())


def unwanted_roles(inputs: Inputs, host: Host) -> list[str]:
    """Return the roles of Airflow that a host does not have, in the order in which they start."""
    return [role.name for role in inputs.every_role if role.name not in inputs.roles(host)]


def dropin_path(inputs: Inputs, name: str) -> str:
    """Return the path of a role's drop-in; an override.conf of `systemctl edit` next to it takes precedence."""
    return f"{dropins(inputs, name)}/10-aerodrome.conf"


def dropins(inputs: Inputs, name: str) -> str:
    """Return the drop-in directory of a role's unit."""
    return f"/etc/systemd/system/{inputs.unit(name)}.d"


def reads(inputs: Inputs, name: str) -> tuple[str, ...]:
    """Return the paths that a role's processes read at startup."""
    airflow = inputs.fleet.airflow
    paths = [
        inputs.kept_file,
        inputs.environment_file,
        inputs.role_file(name),
        inputs.unit_file,
        dropin_path(inputs, name),
        inputs.venv,
        inputs.name_file,
    ]
    return (*paths, f"{airflow.home}/airflow.cfg") if inputs.config_file is not None else tuple(paths)


def _dropin(inputs: Inputs, host: Host, role: AirflowRole) -> File:
    deploy, box = inputs.fleet.deploy, sandbox(inputs, host, role.name)
    command, migration, runtime = role.command(inputs, host), role.migration(inputs, host), role.runtime(inputs)
    parts = {
        "dropin/head.conf.in": True,
        "dropin/mounts.conf.in": bool(box.mounts),
        "dropin/service.conf.in": True,
        "dropin/command.conf.in": command != role.name,
        "dropin/migration.conf.in": bool(migration),
        "dropin/drain.conf.in": role.runs_tasks(inputs),
        "dropin/runtime.conf.in": bool(runtime),
        f"sandbox/{box.level}.conf.in": True,
    }
    text = render_parts(
        parts,
        role=role.name,
        venv=inputs.venv,
        command=command,
        migration=migration,
        migration_timeout=deploy.migration_timeout,
        drain_timeout=deploy.drain_timeout,
        runtime=runtime,
        mounts=" ".join(box.mounts),
        writable="\n".join(f"ReadWritePaths={path}" for path in box.writable),
    )
    return File(dropin_path(inputs, role.name), text, reload=True)
