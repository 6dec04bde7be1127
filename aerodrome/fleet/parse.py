"""Turn the text of hosts.yaml into a Fleet, or report all of its errors."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from aerodrome.errors import InvalidInput
from aerodrome.fleet.checks import CHECKS, check_reserved, check_roles
from aerodrome.fleet.keys import LOGIN, fleet_keys, ip_of
from aerodrome.fleet.model import (
    Airflow,
    Backup,
    Broker,
    Database,
    Deploy,
    Fleet,
    Host,
    Network,
    RoleSettings,
    Ssh,
)
from aerodrome.fleet.ports import check_ports
from aerodrome.fleet.reader import Reader
from aerodrome.fleet.role import Role, Sections, version_of
from aerodrome.secrets import Reference


def _not_here(reference: Reference) -> str:
    raise InvalidInput(f"{reference.where}: !{reference.kind} cannot be looked up here; use the value itself")


def parse(
    text: str,
    source: str,
    roles: Collection[Role],
    *,
    base: str | None = None,
    resolve: Callable[[Reference], str] = _not_here,
    airflow: Mapping[str, Any] = MappingProxyType({}),
) -> Fleet:
    """Return the fleet that `text`, the content of hosts.yaml, describes.

    `source` names the file in messages; `roles` are the roles that it can have, in the order of a deploy. `base`
    is its directory, where relative paths start.
    `resolve` looks up references outside secrets, environment and config, whose values are needed at once.
    `airflow` has keys of that section that win over `text`: what the fleet would be with another version.
    Raises InvalidInput with all errors, each as `file:line: key: what is wrong; how to fix it`.
    """
    reader = Reader(source, posixpath.dirname(source) if base is None else base, resolve)
    keys = fleet_keys(roles)
    found = reader.document(keys, text) or {}
    sections: Sections = {name: found.get(name) or {} for name in keys.fields}
    sections["airflow"] |= airflow
    sections["hosts"] = {name: host or {} for name, host in sections["hosts"].items()}
    _part_roles(sections)
    for check in CHECKS:
        check(reader, sections)
    check_reserved(reader, sections["airflow"])
    if found.get("roles") is not None:
        check_roles(reader, sections, roles)
        check_ports(reader, sections, roles, _hosts_of(sections, roles))
    if problems := reader.problems():
        raise InvalidInput(problems)
    return _fleet(source, sections, roles)


def _part_roles(found: Sections) -> None:
    """Split each role into its hosts, which stay under `roles`, and its `role_settings`."""
    tables = {role: given for role, given in found["roles"].items() if isinstance(given, dict)}
    found["roles"] |= {role: given.get("hosts") for role, given in tables.items()}
    found["role_settings"] = {
        role: {key: value for key, value in given.items() if key != "hosts" and value} for role, given in tables.items()
    }


def _fleet(source: str, found: Sections, roles: Collection[Role]) -> Fleet:
    login = {key: value for key, value in found["ssh"].items() if key in LOGIN}
    return Fleet(
        source=source,
        hosts={name: _host(name, {**login, **given}, roles) for name, given in found["hosts"].items()},
        roles=_hosts_of(found, roles),
        services=tuple(role.name for role in roles if not role.runs_airflow),
        role_settings={role: RoleSettings(**given) for role, given in found["role_settings"].items() if given},
        airflow=_airflow(found["airflow"]),
        database=Database(**found["database"]),
        broker=Broker(**found["broker"]),
        network=Network(**found["network"]),
        deploy=Deploy(**found["deploy"]),
        backup=Backup(**found["backup"]),
        ssh=Ssh(**{key: value for key, value in found["ssh"].items() if key not in LOGIN}),
    )


def _host(name: str, given: dict[str, Any], roles: Collection[Role]) -> Host:
    address = str(ip_of(given["address"]) or given["address"])
    of_role = {role.name: given.pop(role.name) for role in roles if role.name in given}
    return Host(**{**given, "name": name, "address": address, "of_role": of_role})


def _airflow(given: dict[str, Any]) -> Airflow:
    airflow = Airflow(**given)
    if airflow.distribution == "astronomer-certified" and "service" not in given:
        airflow = replace(airflow, service="astronomer-certified")
    return replace(airflow, home=airflow.home.rstrip("/"))


def _hosts_of(found: Sections, roles: Collection[Role]) -> dict[str, tuple[str, ...]]:
    """Return the hosts of every role, including roles that default to the first host of another."""
    given, version = found["roles"], version_of(found)

    def joined(role: Role) -> tuple[str, ...]:
        return (given.get(role.joins) or ())[:1] if version >= role.since else ()

    return {role.name: given.get(role.name, joined(role)) for role in roles}
