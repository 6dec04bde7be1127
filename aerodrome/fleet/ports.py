"""Which port each role listens on, and conflicts between roles of one host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aerodrome.catalogue.settings import rename
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Airflow, Broker, Database
from aerodrome.fleet.reader import KeyPath, Reader


@dataclass(frozen=True)
class LogServer:
    """A server of task logs: the setting of its port, and the default port."""

    what: str
    setting: tuple[str, str]
    port: int


_OF_TASKS = ("logging", "worker_log_server_port")
LOG_SERVERS = {
    "worker": LogServer("the worker's log server", _OF_TASKS, 8793),
    "scheduler": LogServer("the scheduler's log server", _OF_TASKS, 8793),
    "triggerer": LogServer("the triggerer's log server", ("logging", "trigger_log_server_port"), 8794),
}


def serves_logs(role: str, executor: str, version: tuple[int, ...]) -> bool:
    """Tell whether a role has a log server: the scheduler if it runs the tasks itself, a triggerer since 2.6."""
    if role == "scheduler":
        return executor == "LocalExecutor"
    return role == "worker" or (role == "triggerer" and version >= (2, 6))


@dataclass(frozen=True)
class Port:
    """A port that something on a host listens on; `paths` are the keys that set it, the best one first."""

    number: int
    what: str
    paths: tuple[KeyPath, ...]


def check_ports(
    reader: Reader, found: Mapping[str, Any], roles: Mapping[str, tuple[str, ...]], version: tuple[int, ...]
) -> None:
    """Refuse roles of one host that would listen on the same port; `roles` has the hosts of every role."""
    told: set[tuple[KeyPath, int]] = set()
    for host in found["hosts"]:
        taken: dict[int, Port] = {}
        for port in _ports(found, roles, version, host):
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


def _ports(
    found: Mapping[str, Any], roles: Mapping[str, tuple[str, ...]], version: tuple[int, ...], host: str
) -> Iterator[Port]:
    """Yield what listens on a host, except ports that are invalid or looked up elsewhere."""
    for role, what, section, key, default in (
        ("database", "PostgreSQL", "database", "port", Database.port),
        ("redis", "Redis", "broker", "port", Broker.port),
        ("webserver", "the web server", "airflow", "web_port", Airflow.web_port),
    ):
        number = found[section].get(key, default)
        if host in (roles.get(role) or ()) and number:
            yield Port(number, what, ((section, key), ("roles", role)))
    executor = found["airflow"].get("executor") or Airflow.executor
    for role, server in LOG_SERVERS.items():
        if host not in (roles.get(role) or ()) or not serves_logs(role, executor, version):
            continue
        text, path = _setting(found, version[0], host, role, server.setting)
        if text is None:
            yield Port(server.port, server.what, (("roles", role),))
        elif isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 5:
            yield Port(int(text), server.what, (path,))


def _setting(
    found: Mapping[str, Any], major: int, host: str, role: str, setting: tuple[str, str]
) -> tuple[Any, KeyPath]:
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


def _given(found: Mapping[str, Any], paths: tuple[KeyPath, ...]) -> KeyPath:
    """Return the first of `paths` that is in hosts.yaml, so that the error points to where it was written."""
    for path in paths:
        value: Any = found
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is not None and path[0] != "roles":
            return path
    return next(path for path in paths if path)
