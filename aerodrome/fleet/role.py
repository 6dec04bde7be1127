"""The part of a role that is needed to read hosts.yaml; the rest is in components/roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Airflow
from aerodrome.fleet.reader import Kind

Sections = dict[str, dict[str, Any]]  # as read: every section is present, invalid values are None
Version = tuple[int, ...]  # major and minor


@dataclass(frozen=True)
class KeyPort:
    """A port that is set by a key of hosts.yaml."""

    what: str  # what listens there
    section: str
    key: str
    default: int


@dataclass(frozen=True)
class SettingPort:
    """A port that is set by one of Airflow's settings."""

    what: str  # what listens there
    setting: tuple[str, str]  # section and key, by their current names
    default: int


class Role:
    """A role of hosts.yaml: its name, and the keys below it."""

    name: str
    place: int  # a deploy reaches roles in this order
    runs_airflow = False
    since: Version = (0, 0)  # the first version of Airflow that has the role
    joins = ""  # the role whose first host also gets this one, unless hosts.yaml sets it
    single = False  # only one host can have it
    host_keys: Mapping[str, Kind] = {}  # keys of a host with this role, below the role's name

    def needed(self, found: Sections) -> bool:
        """Tell whether a host must have the role."""
        return False

    def mistakes(self, found: Sections) -> Iterator[str]:
        """Yield the errors in the role's part of hosts.yaml, one sentence each."""
        names, version = found["roles"].get(self.name, ()), version_of(found)  # invalid names are None
        if names == () and self.needed(found):
            yield f"no host has this role; name one, as in {self.name}: [{next(iter(found['hosts']), 'HOST')}]"
        if self.single and len(names or ()) > 1:
            yield "only one host can have this role; name one"
        if not self.runs_airflow and found["role_settings"].get(self.name):
            yield "this role supports only hosts:, because it does not run Airflow; remove the rest"
        if names and version < self.since:
            yield f"Airflow {version[0]}.{version[1]} has no separate {self.name}; remove the role"

    def ports(self, executor: str, version: Version) -> tuple[KeyPort | SettingPort, ...]:
        """Return the ports that the role listens on."""
        return ()


def version_of(found: Sections) -> Version:
    """Return major and minor; an invalid version, already reported, counts as the default."""
    version: str = found["airflow"].get("version") or Airflow.version
    return tuple(int(part) for part in version.split(".")[:2])
