"""What it takes to know of a role in order to read hosts.yaml; the rest of it is in components/roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Airflow
from aerodrome.fleet.reader import Kind

Sections = dict[str, dict[str, Any]]  # what was read: every section is there, a value that is wrong is None
Version = tuple[int, ...]  # major and minor


@dataclass(frozen=True)
class KeyPort:
    """A port that a key of hosts.yaml decides."""

    what: str  # listens there
    section: str
    key: str
    default: int


@dataclass(frozen=True)
class SettingPort:
    """A port that one of Airflow's settings decides."""

    what: str  # listens there
    setting: tuple[str, str]  # section and key, in today's names
    default: int


class Role:
    """A role of hosts.yaml: a name, and what may be written below it."""

    name: str
    place: int  # a deploy reaches roles in the order of their places
    runs_airflow = False
    since: Version = (0, 0)  # the first version of Airflow that has the role
    joins = ""  # the role whose first host has this one too, unless hosts.yaml says otherwise
    single = False  # only one host can have it
    host_keys: Mapping[str, Kind] = {}  # what a host that has the role may say below the role's name

    def needed(self, found: Sections) -> bool:
        """Tell whether a host must have the role."""
        return False

    def mistakes(self, found: Sections) -> Iterator[str]:
        """Give what is wrong with what hosts.yaml says of the role, a sentence each."""
        names, version = found["roles"].get(self.name, ()), version_of(found)  # names that are wrong are None
        if names == () and self.needed(found):
            yield f"no {self.name}; name a host, as in {self.name}: [{next(iter(found['hosts']), 'HOST')}]"
        if self.single and len(names or ()) > 1:
            yield f"only one host can be the {self.name}; name one"
        if not self.runs_airflow and found["role_settings"].get(self.name):
            yield "only hosts: is known here: everything else is Airflow's, which this role does not run; leave it out"
        if names and version < self.since:
            yield f"Airflow {version[0]}.{version[1]} runs no {self.name} of its own; leave the role out"

    def ports(self, executor: str, version: Version) -> tuple[KeyPort | SettingPort, ...]:
        """Return the ports that the role listens on."""
        return ()


def version_of(found: Sections) -> Version:
    """Return major and minor; a version that is wrong counts as the default, being a mistake already."""
    version: str = found["airflow"].get("version") or Airflow.version
    return tuple(int(part) for part in version.split(".")[:2])
