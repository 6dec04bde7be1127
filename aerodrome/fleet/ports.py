"""Port conflicts between roles of one host."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from aerodrome.catalogue.settings import rename
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Airflow
from aerodrome.fleet.reader import KeyPath, Reader
from aerodrome.fleet.role import KeyPort, Role, Sections, SettingPort, version_of


@dataclass(frozen=True)
class Port:
    """A port that something on a host listens on; `paths` are the keys that set it, the best one first."""

    number: int
    what: str
    paths: tuple[KeyPath, ...]


def check_ports(
    reader: Reader, found: Sections, roles: Collection[Role], hosts_of: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse roles of one host that would listen on the same port; `hosts_of` has the hosts of every role."""
    told: set[tuple[KeyPath, int]] = set()
    for host in found["hosts"]:
        taken: dict[int, Port] = {}
        for port in _ports(found, [role for role in roles if host in (hosts_of[role.name] or ())], host):
            other = taken.setdefault(port.number, port)
            if other is port:
                continue
            path = _given(found, (*port.paths, *other.paths))
            if (path, port.number) not in told:  # once, not once per host
                told.add((path, port.number))
                reader.mistake(
                    path,
                    f"{port.what} and {other.what} would both listen on port {port.number} of {host}; choose another",
                )


def _ports(found: Sections, roles: Sequence[Role], host: str) -> Iterator[Port]:
    """Yield what listens on a host, except ports that are invalid or looked up elsewhere."""
    version, executor = version_of(found), found["airflow"].get("executor") or Airflow.executor
    ports = [(role, port) for role in roles for port in role.ports(executor, version)]
    for role, port in sorted(ports, key=lambda each: isinstance(each[1], SettingPort)):
        if isinstance(port, KeyPort):
            if number := found[port.section].get(port.key, port.default):
                yield Port(number, port.what, ((port.section, port.key), ("roles", role.name)))
            continue
        text, path = _setting(found, version[0], host, role.name, port.setting)
        if text is None:
            yield Port(port.default, port.what, (("roles", role.name),))
        elif isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 5:
            yield Port(int(text), port.what, (path,))


def _setting(found: Sections, major: int, host: str, role: str, setting: tuple[str, str]) -> tuple[Any, KeyPath]:
    """Return a setting's value in hosts.yaml, under any name, and its path: host first, then role, then airflow."""
    today = rename(major, *setting)
    variable = "AIRFLOW__{}__{}".format(*today).upper()
    for place, given in (
        (("hosts", host), found["hosts"].get(host) or {}),
        (("roles", role), found["role_settings"].get(role) or {}),
        (("airflow",), found["airflow"]),
    ):
        if variable in (given.get("environment") or {}):
            return given["environment"][variable], (*place, "environment", variable)
        for section, keys in (given.get("config") or {}).items():
            for key, value in (keys or {}).items():
                if rename(major, section, key) == today:
                    return value, (*place, "config", section, key)
    return None, ()


def _given(found: Sections, paths: tuple[KeyPath, ...]) -> KeyPath:
    """Return the first of `paths` that is in hosts.yaml, so that the error points to where it was written."""
    for path in paths:
        value: Any = found
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and path[0] != "roles":
            return path
    return next(path for path in paths if path)
