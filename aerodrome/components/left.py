"""Units and files of roles that hosts.yaml no longer gives to a host."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.checks.left import KeptFiles, LeftServices
from aerodrome.components.firewall import firewall
from aerodrome.components.inputs import Inputs
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.resources.files import BY_HAND
from aerodrome.resources.retired import RetiredFiles
from aerodrome.resources.takeover import PutAside


def left(inputs: Inputs, host: Host) -> Sequence[Step]:
    """Return the steps that report services left on a host, and remove files from a host that lost its last role."""
    steps = [Step("retire.services", (), (services,))] if (services := left_services(inputs, host)).services else []
    roles = inputs.fleet.roles_of(host)
    steps += [step for name, each in inputs.components.items() if name not in roles for step in each.gone(inputs)]
    if not inputs.roles(host):
        files = _files(inputs)
        by_hand = PutAside(tuple(path for path in files.files if path.endswith(BY_HAND)))
        steps.append(Step("retire.environment", (files, by_hand), (KeptFiles(files),)))
    return steps if roles else [*steps, firewall(inputs, host)]


def _files(inputs: Inputs) -> RetiredFiles:
    """Return all environment files, with secrets, of a host that runs Airflow, and the file found there before ours."""
    roles = [role.name for role in inputs.every_role]
    files = (inputs.environment_file, *map(inputs.role_file, roles), inputs.kept_file)
    units = tuple(map(inputs.unit, roles))
    return RetiredFiles(inputs.fleet.airflow.service, (*files, f"{inputs.environment_file}{BY_HAND}"), units)


def left_services(inputs: Inputs, host: Host) -> LeftServices:
    """Return the services with data that a host should not run."""
    roles = inputs.fleet.roles_of(host)
    return LeftServices(
        tuple(left for name, each in inputs.components.items() if name not in roles for left in each.left(inputs))
    )
