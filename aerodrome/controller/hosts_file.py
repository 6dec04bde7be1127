"""Find hosts.yaml, and load the fleet that it describes."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aerodrome.controller.files import expand, hosts_file, read_text
from aerodrome.controller.references import resolve
from aerodrome.fleet.model import Fleet
from aerodrome.fleet.parse import parse
from aerodrome.fleet.role import Role


def load(roles: Collection[Role], path: str | None = None, airflow: Mapping[str, Any] = MappingProxyType({})) -> Fleet:
    """Return the fleet of `path`, or else of $AERODROME_HOSTS, or else of hosts.yaml here or next to the fabfile.

    `roles` are the roles that it can have. Its local paths are absolute. `airflow` has keys of that section that win
    over the file. Raises InvalidInput if the file cannot be read or has errors.
    """
    source = path or os.environ.get("AERODROME_HOSTS") or str(hosts_file())
    file = Path(expand(source, "AERODROME_HOSTS: "))
    text = read_text(
        file, f"{source}: ", "set the file that describes your hosts: AERODROME_HOSTS=production.yaml fab …"
    )
    fleet = parse(text, str(file), roles, base=str(file.absolute().parent), resolve=resolve, airflow=airflow)
    return _at_home(fleet)


def _at_home(fleet: Fleet) -> Fleet:
    """Return `fleet` with every ~ expanded."""
    airflow, deploy = fleet.airflow, fleet.deploy

    def home(path: str | None, key: str) -> str | None:
        return path and expand(path, f"{fleet.source}: {key}: ")

    return replace(
        fleet,
        hosts={name: replace(host, key=home(host.key, f"hosts.{name}.key")) for name, host in fleet.hosts.items()},
        airflow=replace(
            airflow,
            lock=home(airflow.lock, "airflow.lock"),
            constraints=home(airflow.constraints, "airflow.constraints"),
            config_file=home(airflow.config_file, "airflow.config_file"),
        ),
        deploy=replace(deploy, dags=home(deploy.dags, "deploy.dags")),
        ssh=replace(fleet.ssh, known_hosts=expand(fleet.ssh.known_hosts, f"{fleet.source}: ssh.known_hosts: ")),
    )
