"""Steps 3 to 5 of the guide: the units of a role, each with its drop-in, enabled and running."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.census import drain, runs_tasks, unreported
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import own_address
from aerodrome.components.ports import role_ports
from aerodrome.components.queues import declared
from aerodrome.components.sandbox import sandbox
from aerodrome.core.resource import Resource
from aerodrome.core.step import Step
from aerodrome.fleet.model import ROLES, SERVICES, Host
from aerodrome.render import render
from aerodrome.resources.files import File
from aerodrome.resources.retired import Retired
from aerodrome.resources.systemd import Service, Stopped
from aerodrome.resources.takeover import Superseded


def role(inputs: Inputs, host: Host, name: str, again: bool = False) -> Step:
    """Return what makes `host` run the role `name`; `again` restarts it where it runs."""
    before = declared(inputs, host) if name == "worker" else ()
    units = tuple((inputs.unit(each), reads(inputs, each)) for each in inputs.roles(host))
    beside = units if len(units) > 1 else ()
    service = Service(inputs.unit(name), reads(inputs, name), again, before, drain(inputs, host, name), beside)
    parts = (
        _dropin(inputs, host, name),
        *_override(inputs, name),
    )
    own = own_address("the web server", host) if name == "webserver" else ()
    return Step(f"roles.{name}", (*parts, *unreported(inputs, name), service), (*own, *role_ports(inputs, host, name)))


def stopped(inputs: Inputs, host: Host, name: str) -> Step:
    """Return what makes a host not run the role `name` for now."""
    unit = Stopped(inputs.unit(name), drain(inputs, host, name))
    return Step(f"roles.{name}", (*unreported(inputs, name), unit))


def retired(inputs: Inputs, host: Host, name: str, roles: Collection[str]) -> Step:
    """Return what ends the units of `roles` that hosts.yaml does not have on `host`; `name` tells such steps apart."""
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
    return [role for role in ROLES if role not in SERVICES and role not in inputs.roles(host)]


def dropin_path(inputs: Inputs, name: str) -> str:
    """Return the path of a role's drop-in; `systemctl edit` writes override.conf beside it, and wins."""
    return f"{_dropins(inputs, name)}/10-aerodrome.conf"


def _dropins(inputs: Inputs, name: str) -> str:
    return f"/etc/systemd/system/{inputs.unit(name)}.d"


def _override(inputs: Inputs, name: str) -> tuple[Resource, ...]:
    """Return the guide's own drop-in of the scheduler as what is not wanted: it would migrate a second time."""
    if name != "scheduler":
        return ()
    # The guide's own command too: in a host that is taken over to a later version it would fail.
    migrations = dict.fromkeys([inputs.catalogue.migrate, "upgradedb"])
    texts = tuple(("[Service]", f"ExecStartPre={inputs.guide_venv}/bin/airflow {command}") for command in migrations)
    return (Superseded(f"{_dropins(inputs, name)}/override.conf", texts),)


def reads(inputs: Inputs, name: str) -> tuple[str, ...]:
    """Return the paths that a role's processes read at their start."""
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


def is_first_scheduler(inputs: Inputs, host: Host) -> bool:
    """Tell whether it is `host` that migrates the metadata database."""
    return inputs.fleet.roles["scheduler"][0] == host.name


def _dropin(inputs: Inputs, host: Host, name: str) -> File:
    airflow, catalogue = inputs.fleet.airflow, inputs.catalogue
    command = catalogue.commands[name]
    if name == "worker":
        # Its default is the machine's own hostname, and two may have the same. Then neither of them can be asked, and
        # from Celery's provider 3.24 on the second one is refused.
        command += f" {catalogue.node_option} {inputs.known_as(host)}"
        if host.worker.queues:
            command += f" --queues {','.join(host.worker.queues)}"
    migrates = name == "scheduler" and is_first_scheduler(inputs, host)
    gunicorn = name == "webserver" and catalogue.major < 3
    runtime = f"{airflow.service}-{name}" if gunicorn else ""
    if gunicorn:
        command += f" --pid /run/{runtime}/gunicorn.pid"
    text = render(
        "dropin.conf.j2",
        role=name,
        venv=inputs.venv,
        command=command,
        migrate=catalogue.migrate if migrates else "",
        migration_timeout=inputs.fleet.deploy.migration_timeout,
        drain_timeout=inputs.fleet.deploy.drain_timeout if runs_tasks(inputs, name) else 0,
        runtime=runtime,
        **sandbox(inputs, host, name),
    )
    return File(dropin_path(inputs, name), text, reload=True)
