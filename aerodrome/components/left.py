"""What a host still runs, or has loaded, of roles that hosts.yaml no longer gives it."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.checks.left import LeftServices
from aerodrome.components.firewall import firewall
from aerodrome.components.inputs import Inputs
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host


def left(inputs: Inputs, host: Host) -> Sequence[Step]:
    """Return the services that are said to be left, and the firewall of a host without any role as what is removed."""
    steps = [Step("retire.services", (), (services,))] if (services := left_services(inputs, host)).services else []
    return steps if inputs.fleet.roles_of(host) else [*steps, firewall(inputs, host)]


def left_services(inputs: Inputs, host: Host) -> LeftServices:
    """Return the services with data that a host should not run."""
    roles = inputs.fleet.roles_of(host)
    return LeftServices(
        tuple(left for name, each in inputs.components.items() if name not in roles for left in each.left(inputs))
    )
