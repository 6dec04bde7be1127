"""A fleet and its values, for tests to use and vary."""

from __future__ import annotations

import ast
import grp
import json
import os
import pwd
import re
from collections.abc import Sequence
from dataclasses import replace
from subprocess import CompletedProcess
from typing import Any, Protocol

from aerodrome.components.inputs import Inputs
from aerodrome.components.registry import components
from aerodrome.controller import hosts_file
from aerodrome.core.resource import Change, Resource, Seen
from aerodrome.core.undo import Undo
from aerodrome.fleet.model import Airflow, Broker, Database, Deploy, Fleet, Host
from aerodrome.fleet.parse import parse as read
from aerodrome.secrets import Secret

ME = pwd.getpwuid(os.getuid()).pw_name
MY_GROUP = grp.getgrgid(os.getgid()).gr_name

AWKWARD = "p@ss/w%rd:$ '\"\\é#;"
FERNET_KEY = "F" * 43 + "="
HOSTS = {
    host.name: host
    for host in (
        Host("db1", "10.0.0.1"),
        Host("s1", "10.0.0.2"),
        Host("web1", "10.0.0.3"),
        Host("w1", "10.0.0.4", of_role={"worker": {"queues": ("default", "reports"), "concurrency": 4}}),
        Host("w2", "10.0.0.5"),
    )
}
COMPONENTS = components()
ROLES = tuple(COMPONENTS)
SERVICES = tuple(name for name, each in COMPONENTS.items() if not each.runs_airflow)
ROLES_OF_FLEET = {
    "database": ("db1",),
    "scheduler": ("s1",),
    "dag-processor": ("s1",),
    "triggerer": ("s1",),
    "webserver": ("web1",),
    "worker": ("w1", "w2"),
}


class Shell(Protocol):
    """Run a script in a shell; see the fixture `sh`."""

    def __call__(
        self, script: str, payload: bytes = b"", programs: dict[str, str] | None = None
    ) -> CompletedProcess[bytes]: ...


def fleet(
    roles: dict[str, tuple[str, ...]] | None = None,
    hosts: dict[str, Host] | None = None,
    deploy: Deploy | None = None,
    database: Database | None = None,
    broker: Broker | None = None,
    **airflow: Any,
) -> Fleet:
    every_role: dict[str, tuple[str, ...]] = dict.fromkeys(ROLES, ())
    return Fleet(
        source="hosts.yaml",
        hosts=hosts or HOSTS,
        roles={**every_role, **(roles or ROLES_OF_FLEET)},
        services=SERVICES,
        airflow=Airflow(**airflow),
        database=database or Database(),
        broker=broker or Broker(),
        deploy=deploy or Deploy(),
    )


def inputs(of: Fleet | None = None, **given: Any) -> Inputs:
    values = Inputs(
        fleet=of or fleet(),
        components=COMPONENTS,
        password=Secret(AWKWARD),
        fernet_key=Secret(FERNET_KEY),
        secret_key=Secret("web-secret"),
        jwt_secret=Secret("jwt-secret"),
        celery_password=Secret("celery-secret"),
        salt=bytes(range(16)),
    )
    return replace(values, **given)


def parse(text: str, source: str, **given: Any) -> Fleet:
    """Read the text of hosts.yaml, with all existing roles."""
    return read(text, source, COMPONENTS.values(), **given)


def load(path: str | None = None) -> Fleet:
    """Read the file hosts.yaml, with all existing roles."""
    return hosts_file.load(COMPONENTS.values(), path)


def parameters(script: str) -> dict[str, Any]:
    """Return the parameters of the only `probes/` program in a script."""
    (given,) = re.findall(r"^main\(\*\*json\.loads\((.*)\)\)$", script, re.MULTILINE)
    found: dict[str, Any] = json.loads(ast.literal_eval(given))
    return found


def only_change(resource: Resource, seen: str, changing: Sequence[str] = ()) -> Change:
    """Return the only change that a resource wants."""
    (change,) = resource.changes(Seen(seen, frozenset(changing)))
    return change


def seen(sh: Shell, resource: Resource) -> Seen:
    """Ask for a resource in a shell."""
    return Seen(sh(resource.probe()).stdout.decode("utf-8", "surrogateescape"))


def plain(changes: Sequence[Change]) -> list[Change]:
    """Return changes without their ways back, which tests of their own compare."""
    return [replace(change, undo=None) for change in changes]


def apply(sh: Shell, changes: list[Change]) -> None:
    """Make changes in a shell, and hold that each succeeds."""
    for change in changes:
        done = sh(f"set -eu\n{change.script}", change.payload)
        assert done.returncode == 0, done


def there_and_back(sh: Shell, change: Change) -> Undo:
    """Make a change in a shell and take it back; hold that its state is what it says before, in between and after."""
    undo = change.undo
    assert undo

    def state() -> str:
        return sh(undo.state).stdout.decode().strip()

    assert state() == undo.before
    apply(sh, [change])
    assert state() == undo.left
    done = sh(f"set -eu\n{undo.script}", undo.payload)
    assert done.returncode == 0, done
    assert state() == undo.before
    return undo
