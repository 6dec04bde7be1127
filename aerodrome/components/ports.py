"""Which ports the units of a host are going to listen on."""

from __future__ import annotations

from aerodrome.checks.ports import FreePort
from aerodrome.components.environment import environment, role_environment
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import bound
from aerodrome.fleet.model import Host
from aerodrome.fleet.ports import LOG_SERVERS, serves_logs


def role_ports(inputs: Inputs, host: Host, role: str) -> tuple[FreePort, ...]:
    """Return the port of a role of Airflow's, where it has one and hosts.yaml says it plainly."""
    airflow, unit = inputs.fleet.airflow, inputs.unit(role)
    if role == "webserver":
        return (FreePort(airflow.web_port, unit, "airflow.web_port", bound(host)),)
    version = tuple(int(part) for part in airflow.version.split(".")[:2])
    if not serves_logs(role, airflow.executor, version):
        return ()
    server = LOG_SERVERS[role]
    section, key = server.setting
    if key in (inputs.config_file or ""):
        return ()  # the operator's own airflow.cfg says it: nothing is guessed
    name = inputs.catalogue.variable(section, key)
    variables = environment(inputs, host) | role_environment(inputs, host, role)
    number = variables.get(name, str(server.port))
    if not isinstance(number, str) or not (number.isascii() and number.isdigit() and len(number) <= 5):
        return ()
    return (FreePort(int(number), unit, f"{section}.{key} under airflow.config"),)


def redis_port(inputs: Inputs, host: Host, unit: str) -> FreePort:
    """Return the port of Redis, which listens on the host's own address unless hosts.yaml says otherwise."""
    return FreePort(inputs.fleet.broker.port, unit, "broker.port", bound(host))


def database_port(inputs: Inputs) -> FreePort:
    """Return the port of PostgreSQL, whatever a distribution calls its unit."""
    return FreePort(inputs.fleet.database.port, "postgresql*.service", "database.port")
