"""Step 2 of the guide: everything that a machine needs to run Airflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from aerodrome.catalogue.packages import DISTRIBUTION, EXCLUDED, EXTRAS
from aerodrome.checks.claims import OwnEnvironment, OwnHome, OwnUnits
from aerodrome.checks.keys import FoundKeys
from aerodrome.components.command import python_program
from aerodrome.components.environment import (
    commands,
    environment,
    mask_config,
    mask_environment,
    mask_secrets,
    render_variables,
    role_environment,
    secrets,
)
from aerodrome.components.halt import unmoved
from aerodrome.components.inputs import Inputs, Text
from aerodrome.components.login import database_login
from aerodrome.components.version import version
from aerodrome.core.check import Check
from aerodrome.core.resource import Resource, quote
from aerodrome.core.step import Step
from aerodrome.errors import AerodromeError
from aerodrome.fleet.model import Host
from aerodrome.lockfile import digest
from aerodrome.program import program
from aerodrome.render import render
from aerodrome.resources.block import Block
from aerodrome.resources.environment import CommandsAnswer, KeptVariables, assignments
from aerodrome.resources.files import BY_HAND, MARK, Absent, File
from aerodrome.resources.home import Default, ServiceHome
from aerodrome.resources.installer import ROOT, Installer
from aerodrome.resources.late_link import Linked
from aerodrome.resources.module import Module
from aerodrome.resources.packages import Packages
from aerodrome.resources.python import Installed, Requirements, VirtualEnvironment
from aerodrome.resources.release import Pruned
from aerodrome.resources.takeover import PutAside
from aerodrome.resources.users import User

# The steps of a node whose changes its units and tasks notice.
SETTINGS = ("node.link", "node.unit", "node.environment", "node.dags")


def node(inputs: Inputs, host: Host, late: bool = False) -> list[Step]:
    """Return the steps that set up a node, in the guide's order.

    With `late`, another environment of the Airflow in use is put in use by a step of its own.
    """
    airflow = inputs.fleet.airflow
    venv, (installed,) = environments(inputs, late=late)
    return [
        Step("node.packages", (packages(airflow.python),)),
        Step("node.user", _user(inputs), (OwnHome(airflow.home, airflow.user, inputs.environment_file),)),
        Step("node.hosts", (*_hosts(inputs), *_name(inputs, host))),
        Step("node.venv", venv),
        Step("node.install", (installed, Pruned(installed)), (version(inputs, host),)),
        *database_login(inputs, host),
        *([Step("node.link", (Linked(installed),))] if late else []),
        Step("node.unit", (_unit(inputs),), (OwnUnits(airflow.service),)),
        Step("node.environment", _environment(inputs, host), _found(inputs, host)),
        Step("node.dags", dags(inputs)),
    ]


def environments(
    inputs: Inputs, beside: bool = False, late: bool = False
) -> tuple[tuple[Resource, ...], tuple[Installed]]:
    """Return the resources of Airflow's virtual environment: the environment, and its packages with the link to it.

    With `beside`, it is made ready while another one stays in use; with `late`, until `Linked` is reached.
    """
    airflow, keep = inputs.fleet.airflow, inputs.fleet.deploy.keep_releases
    stays = (airflow.version, *filter(None, [inputs.rolls_from])) if late else ()
    held = (stays, inputs.imports if late else "")
    python = (inputs.place, airflow.python, _requirements(inputs), airflow.user, inputs.unit_file, keep, beside, *held)
    places = Installer((ROOT, inputs.place, f"{inputs.place}/venvs"))
    return (places, VirtualEnvironment(*python)), (Installed(*python),)


def packages(python: str) -> Packages:
    """Return the guide's packages, with the versioned Python (python3.12) if the operator names one.

    A path means the operator's own Python: then install the distribution's packages.
    """
    name = python if re.fullmatch(r"python3\.\d+", python) else "python3"
    return Packages(
        apt=("sudo", name, f"{name}-venv", f"{name}-dev", "gcc"),
        dnf=("sudo", name, f"{name}-devel", "gcc"),  # on RHEL-likes, Python's own package includes venv
    )


def dags(inputs: Inputs) -> tuple[Resource, ...]:
    """Return the DAG folder and airflow.cfg, each if configured."""
    airflow = inputs.fleet.airflow
    resources: list[Resource] = []
    if inputs.config_file is not None:
        path = f"{airflow.home}/airflow.cfg"
        resources.append(File(path, inputs.config_file, "root", airflow.user, 0o640, mask=mask_config, keep=True))
    if inputs.dags is not None:
        resources += [inputs.dags, Pruned(inputs.dags)]
    return tuple(resources)


def _user(inputs: Inputs) -> tuple[Resource, ...]:
    """Return the service user, and AIRFLOW_HOME with everything that Airflow could not write there itself."""
    user, home = inputs.fleet.airflow.user, inputs.fleet.airflow.home
    ours = {"airflow.cfg"} if inputs.config_file is not None else set()
    files = {name: text for name, text in inputs.catalogue.home_files.items() if name not in ours}
    return (
        User(user, inputs.user_home, profile=f"export AIRFLOW_HOME={quote(home)}"),
        ServiceHome(home, user),
        *(Default(f"{home}/{name}", text, user) for name, text in files.items()),
    )


def _hosts(inputs: Inputs) -> tuple[Resource, ...]:
    """Return the names of all hosts. Without them, a task's log cannot be fetched from its worker."""
    if inputs.fleet.deploy.dns:
        return ()
    return (Block("/etc/hosts", tuple(f"{host.address} {host.name}" for host in inputs.fleet.hosts.values())),)


def _name(inputs: Inputs, host: Host) -> tuple[Resource, ...]:
    """Return the module that reports the host's name in hosts.yaml to Airflow, whatever its hostname is."""
    text = render("hostname.py.in", name=f'"{inputs.known_as(host)}"')
    return (Module(inputs.name_file, text, inputs.fleet.airflow.user),)


def _requirements(inputs: Inputs) -> Requirements:
    airflow = inputs.fleet.airflow
    extras = airflow.extras if airflow.extras is not None else EXTRAS[inputs.catalogue.major]
    unpinned = [f"{airflow.distribution}[{','.join(extras)}]=={airflow.version}"]
    if airflow.distribution == DISTRIBUTION:
        unpinned += EXCLUDED.get(airflow.version, ())
    return Requirements(
        name=airflow.version,
        locks=inputs.locks,
        unpinned="" if airflow.pinned and not airflow.constraints else "\n".join(unpinned),
        constraints=inputs.constraints,
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
        "unit.service.in",
        service=airflow.service,
        user=airflow.user,
        home=airflow.home,
        venv=inputs.venv,
    )
    return File(inputs.unit_file, text, reload=True, keep=True)


def _environment(inputs: Inputs, host: Host) -> tuple[Resource, ...]:
    """Return the environment file, preceded by what is kept of one that was written by hand."""
    path, variables = inputs.environment_file, environment(inputs, host)
    mask, secret = partial(mask_environment, variables), partial(mask_secrets, inputs, variables)
    check = partial(_check_found, inputs)
    file = File(path, render_variables(variables), mode=0o600, mask=mask, secret=secret, check=check, keep=True)
    ours = {**variables, **secrets(inputs)}  # including secrets that only other hosts' roles need
    kept = KeptVariables(inputs.kept_file, path, partial(_is_ours, inputs, ours))
    resources: list[Resource] = [kept, file]
    # Those of a later version too: an upgrade may have been taken back.
    for role in inputs.every_role:
        resources.append(_role_environment(inputs, host, role.name))
    by_hand = PutAside(
        tuple(f"{each}{BY_HAND}" for each in (path, inputs.unit_file, f"{inputs.fleet.airflow.home}/airflow.cfg"))
    )
    return (*resources, by_hand, *_commands(inputs, host))


def _role_environment(inputs: Inputs, host: Host, role: str) -> Resource:
    """Return the file of a role's own variables, or its absence if the host lacks the role or it has none."""
    path = inputs.role_file(role)
    variables = role_environment(inputs, host, role) if role in inputs.roles(host) else {}
    secret = partial(mask_secrets, inputs, variables)
    if not variables:
        return Absent(path, secret)
    mask, check = partial(mask_environment, variables), partial(_check_keys, inputs)
    return File(path, render_variables(variables), mode=0o600, mask=mask, secret=secret, check=check)


def _commands(inputs: Inputs, host: Host) -> Iterator[Resource]:
    """Yield checks that the node's commands answer, in the environment of each role that uses any."""
    files = {inputs.role_file(role): role for role in inputs.roles(host)}
    for path, role in files.items() if inputs.catalogue.secrets_differ else [(inputs.environment_file, "")]:
        if asked := commands(inputs, role):
            ask = python_program(inputs, program("commands", names=sorted(asked)), role)
            yield CommandsAnswer(path, f"{path}.asked", digest(repr(sorted(asked.items()))), ask)


def _found(inputs: Inputs, host: Host) -> tuple[Check, ...]:
    """Return the checks on an environment that already exists on a host."""
    path, airflow = inputs.environment_file, inputs.fleet.airflow
    found: list[Check] = [OwnEnvironment(path)]
    if inputs.fernet_key:
        key = inputs.catalogue.variable("core", "fernet_key")
        found.append(FoundKeys(path, f"{airflow.home}/airflow.cfg", key, inputs.fernet_key, airflow.user))
    return (*found, *unmoved(inputs, host))


def _is_ours(inputs: Inputs, variables: Mapping[str, Text], name: str) -> bool:
    """Tell whether a variable found on a host is one of ours, under this or another version's name."""
    forms = {name, name.removesuffix("_CMD"), name.removesuffix("_SECRET")}
    parts = [form.removeprefix("AIRFLOW__").lower().partition("__") for form in forms if form.startswith("AIRFLOW__")]
    today = {inputs.catalogue.variable(section, key) for section, _, key in parts}
    return not {name, *today, *(f"{each}_CMD" for each in today)}.isdisjoint(variables)


def _check_found(inputs: Inputs, found: str) -> None:
    """Refuse to replace an environment file if the host would lose something."""
    _check_keys(inputs, found)
    home = inputs.fleet.airflow.home
    there = {lines[0].partition("=")[2].strip(" \"'") for name, lines in assignments(found) if name == "AIRFLOW_HOME"}
    other = [path for path in there if path.rstrip("/") != home]
    if other and MARK not in found:
        raise AerodromeError(
            f"the host was set up by hand with AIRFLOW_HOME={other[0]}, but hosts.yaml says {home}",
            f"set airflow.home: {other[0].rstrip('/')} (its DAGs, airflow.cfg and Fernet key are there)",
        )


def _check_keys(inputs: Inputs, found: str) -> None:
    """Refuse to replace a host's key by a generated one: everything that it encrypted would be lost."""
    airflow, key = inputs.fleet.airflow, inputs.catalogue.variable("core", "fernet_key")
    if airflow.fernet_key or airflow.fernet_key_command:
        return
    if MARK not in found:
        lost = f"{key}_CMD"  # a key itself has been adopted; a key printed by a command has not
    elif "fernet_key" in inputs.made:
        lost = f"{key}(_CMD)?"
    else:
        return
    if re.search(rf"^[ \t]*{lost}[ \t]*=[ \t]*\S", found, re.MULTILINE):
        raise AerodromeError(
            "the host has a Fernet key, but this checkout has none: a new one would make stored connections unreadable",
            "copy secrets.yaml from the machine that deployed this fleet, or set airflow.fernet_key in hosts.yaml",
        )
