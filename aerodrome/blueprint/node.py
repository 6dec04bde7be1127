"""Step 2 of the guide: what every machine that runs Airflow is made of."""

from __future__ import annotations

import re
from functools import partial

from aerodrome.blueprint.environment import environment, environment_file, mask_environment
from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.step import Step
from aerodrome.errors import AerodromeError
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.resources.base import Resource
from aerodrome.resources.files import Block, Directory, File, Line
from aerodrome.resources.packages import Packages
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment
from aerodrome.resources.users import User


def node(inputs: Inputs, host: Host) -> list[Step]:
    """Return what a node is made of, step by step, in the guide's order."""
    airflow = inputs.fleet.airflow
    python = (airflow.user, inputs.user_home, airflow.python, _requirements(inputs))
    steps = [
        Step("node.packages", (PACKAGES,)),
        Step("node.user", _user(inputs)),
        Step("node.hosts", _hosts(inputs)),
        Step("node.venv", (VirtualEnvironment(*python),)),
        Step("node.install", (Installed(*python),)),
        Step("node.unit", (_unit(inputs),)),
        Step("node.environment", (_environment(inputs, host),)),
    ]
    return [*steps, Step("node.dags", dags(inputs))]


PACKAGES = Packages(
    apt=("sudo", "python3", "python3-venv", "python3-dev", "gcc"),
    dnf=("sudo", "python3", "python3-devel", "gcc"),  # RHEL-likes have venv in python3 itself
)


def dags(inputs: Inputs) -> tuple[Resource, ...]:
    """Return the DAG folder and airflow.cfg, each where the operator has one."""
    airflow = inputs.fleet.airflow
    resources: list[Resource] = []
    if inputs.config_file is not None:
        path = f"{airflow.home}/airflow.cfg"
        resources.append(File(path, inputs.config_file, airflow.user, airflow.user, 0o640))
    if inputs.dags is not None:
        resources.append(inputs.dags)
    return tuple(resources)


def _user(inputs: Inputs) -> tuple[Resource, ...]:
    user, home = inputs.fleet.airflow.user, inputs.fleet.airflow.home
    return (
        User(user, inputs.user_home),
        Directory(home, user, user),
        Line(f"{inputs.user_home}/.bashrc", f"export AIRFLOW_HOME={home}", "export AIRFLOW_HOME=", user),
    )


def _hosts(inputs: Inputs) -> tuple[Resource, ...]:
    """Return the names of all hosts: without them a task's log cannot be read from its worker."""
    if inputs.fleet.deploy.dns:
        return ()
    return (Block("/etc/hosts", tuple(f"{host.address} {host.name}" for host in inputs.fleet.hosts.values())),)


def _requirements(inputs: Inputs) -> Requirements:
    airflow = inputs.fleet.airflow
    unpinned = f"{airflow.distribution}[{','.join(airflow.extras)}]=={airflow.version}"
    return Requirements(
        name=airflow.version,
        locks=inputs.locks,
        unpinned="" if airflow.pinned else unpinned,
        supported=inputs.catalogue.pythons,
        uv=inputs.uv,
        index_url=inputs.index_url,
        extra_index_url=inputs.extra_index_url,
        distribution=airflow.distribution,
        build=inputs.build,
        metadata=inputs.metadata,
    )


def _unit(inputs: Inputs) -> File:
    airflow = inputs.fleet.airflow
    text = render(
        "unit.service.j2",
        service=airflow.service,
        user=airflow.user,
        home=airflow.home,
        venv=inputs.venv,
    )
    return File(f"/etc/systemd/system/{airflow.service}@.service", text, reload=True)


def _environment(inputs: Inputs, host: Host) -> File:
    mask = partial(mask_environment, environment(inputs, host))
    text = environment_file(inputs, host)
    return File(inputs.environment_file, text, mode=0o600, mask=mask, check=partial(_check_keys, inputs))


def _check_keys(inputs: Inputs, found: str) -> None:
    """Refuse to replace a key that a host has by one that was made just now: what it encrypted would be lost."""
    key = inputs.catalogue.variable("core", "fernet_key")
    made = "fernet_key" in inputs.made and inputs.fleet.airflow.fernet_key is None
    if made and re.search(rf"^\s*{key}(_CMD)?\s*=\s*\S", found, re.MULTILINE):
        raise AerodromeError(
            "the host has a Fernet key, and here there is none: a new one would make stored connections unreadable",
            "copy secrets.yaml from where this fleet was deployed, or give the key: airflow.fernet_key in hosts.yaml",
        )
