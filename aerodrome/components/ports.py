"""The ports that the units of a host will listen on."""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.checks.ports import FreePort
from aerodrome.components.component import AirflowRole, Component
from aerodrome.components.environment import environment, role_environment
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import bound
from aerodrome.fleet.model import Host
from aerodrome.fleet.role import KeyPort, SettingPort


def role_ports(inputs: Inputs, host: Host, role: AirflowRole) -> tuple[FreePort, ...]:
    """Return the ports of an Airflow role, as far as hosts.yaml states them."""
    return tuple(port for each in wanted(inputs, role) for port in _port(inputs, host, role, each))


def port_numbers(inputs: Inputs, host: Host, component: Component) -> list[int]:
    """Return the ports that a host listens on for a role, as far as hosts.yaml states them."""
    if isinstance(component, AirflowRole):
        return [port.number for port in role_ports(inputs, host, component)]
    return [number_of(inputs, each) for each in wanted(inputs, component) if isinstance(each, KeyPort)]


def wanted(inputs: Inputs, component: Component) -> tuple[KeyPort | SettingPort, ...]:
    """Return the keys and settings that determine a role's ports, in the fleet's version and with its executor."""
    return component.ports(inputs.fleet.airflow.executor, inputs.version)


def number_of(inputs: Inputs, port: KeyPort) -> int:
    """Return the port that a key of hosts.yaml sets."""
    number: int = getattr(getattr(inputs.fleet, port.section), port.key)
    return number


def _port(inputs: Inputs, host: Host, role: AirflowRole, port: KeyPort | SettingPort) -> Iterator[FreePort]:
    unit = inputs.unit(role.name)
    if isinstance(port, KeyPort):
        yield FreePort(number_of(inputs, port), unit, f"{port.section}.{port.key}", bound(host))
        return
    section, key = port.setting
    if key in (inputs.config_file or ""):
        return  # the operator's own airflow.cfg sets it: do not guess
    name = inputs.catalogue.variable(section, key)
    variables = environment(inputs, host) | role_environment(inputs, host, role.name)
    number = variables.get(name, str(port.default))
    if isinstance(number, str) and number.isascii() and number.isdigit() and len(number) <= 5:
        yield FreePort(int(number), unit, f"{section}.{key} under airflow.config")
