"""Steps 3 to 5 of the guide: the units of a role, each with its drop-in, enabled and running."""

from __future__ import annotations

from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.step import Step
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.resources.files import File
from aerodrome.resources.systemd import Service, Stopped


def role(inputs: Inputs, host: Host, name: str, again: bool = False) -> Step:
    """Return what makes `host` run the role `name`; `again` restarts it where it runs."""
    dropin = _dropin(inputs, host, name)
    return Step(f"roles.{name}", (dropin, Service(inputs.unit(name), reads(inputs, name), again)))


def stopped(inputs: Inputs, name: str) -> Step:
    """Return what makes a host not run the role `name` for now."""
    return Step(f"roles.{name}", (Stopped(inputs.unit(name)),))


def dropin_path(inputs: Inputs, name: str) -> str:
    """Return the path of a role's drop-in; `systemctl edit` writes override.conf beside it, and wins."""
    return f"/etc/systemd/system/{inputs.unit(name)}.d/10-aerodrome.conf"


def reads(inputs: Inputs, name: str) -> tuple[str, ...]:
    """Return the paths that a role's processes read at their start."""
    airflow = inputs.fleet.airflow
    paths = [
        inputs.environment_file,
        f"/etc/systemd/system/{airflow.service}@.service",
        dropin_path(inputs, name),
        inputs.venv,
    ]
    return (*paths, f"{airflow.home}/airflow.cfg") if inputs.config_file is not None else tuple(paths)


def is_first_scheduler(inputs: Inputs, host: Host) -> bool:
    """Tell whether it is `host` that migrates the metadata database."""
    return inputs.fleet.roles["scheduler"][0] == host.name


def _dropin(inputs: Inputs, host: Host, name: str) -> File:
    airflow, catalogue = inputs.fleet.airflow, inputs.catalogue
    command = catalogue.commands[name]
    variables = {}
    if name == "worker":
        if host.worker.queues:
            command += f" --queues {','.join(host.worker.queues)}"
        if host.worker.concurrency:
            variables[catalogue.variable("celery", "worker_concurrency")] = host.worker.concurrency
    migrates = name == "scheduler" and is_first_scheduler(inputs, host)
    runs_tasks = name == "worker" or (name == "scheduler" and airflow.executor == "LocalExecutor")
    gunicorn = name == "webserver" and catalogue.major < 3
    text = render(
        "dropin.conf.j2",
        role=name,
        venv=inputs.venv,
        command=command,
        migrate=catalogue.migrate if migrates else "",
        migration_timeout=inputs.fleet.deploy.migration_timeout,
        drain_timeout=inputs.fleet.deploy.drain_timeout if runs_tasks else 0,
        pid_file=f"{airflow.home}/airflow-webserver.pid" if gunicorn else "",
        variables=sorted(variables.items()),
    )
    return File(dropin_path(inputs, name), text, reload=True)
