"""Take the changes of a past run back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from aerodrome.components.health import RoleHealth
from aerodrome.components.inputs import Inputs
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.core.undo import Entry, turn
from aerodrome.errors import FleetError, HostError
from aerodrome.resources.taken_back import TakenBack

ENVIRONMENT = re.compile(r".*/venvs/(?P<version>[^/]+)-py[^/]+")


def check_versions(found: Mapping[str, Sequence[Entry]]) -> None:
    """Refuse to take back another version of Airflow: the database would stay the newer version's.

    Raises FleetError, naming each host whose environment has changed its version.
    """
    refused = []
    for host, entries in found.items():
        for entry in entries:
            before, left = (ENVIRONMENT.fullmatch(path) for path in (entry.before, entry.left))
            if before and left and before["version"] != left["version"]:
                message = (
                    f"that run changed Airflow {before['version']} to {left['version']}, and migrated the database"
                )
                hint = "no undo migrates it back: fab upgrade --back, if that run was an upgrade; or restore a backup"
                refused.append(HostError(host, entry.step, message, hint))
    if refused:
        raise FleetError(refused)


def undo(
    inputs: Inputs,
    hosts: Collection[str],
    roles: Collection[str],
    run: str,
    found: Mapping[str, Sequence[Entry]],
    force: bool = False,
) -> Runbook:
    """Take back what `run` changed: what hosts have `found` recorded of it, its last stage first.

    Units restart once everything else is back, in the order of the run, and each role must be healthy before the next.
    """
    turns = sorted({turn(entry) for entries in found.values() for entry in entries if entry.summary})
    stages = []
    for when in turns:
        mine = {
            host: [each for each in entries if each.summary and turn(each) == when] for host, entries in found.items()
        }
        name = _name(when, next(each.stage for entries in mine.values() for each in entries))
        steps, gates = {}, {}
        for host, entries in mine.items():
            ordered = entries if when[0] == 2 else entries[::-1]
            resources = tuple(TakenBack(run, entry, tuple(found[host]), force) for entry in ordered)
            steps[host] = [Step(name, resources)] if resources else []
            if when[0] and (touched := _roles(inputs, host, entries)):
                gates[host] = RoleHealth(inputs, inputs.fleet.hosts[host], touched)
        stages.append(Stage(name, steps, gates))
    return Runbook(f"undo of {run}", tuple(only(stages, hosts)), secrets=False)


def _name(when: tuple[int, int], stage: str) -> str:
    """Name a stage; a run may have had two of one name."""
    phase, place = when
    return f"{('undo', 'start', 'restart')[phase]} {abs(place)}: {stage}"


def _roles(inputs: Inputs, host: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the roles of a host whose units start or restart."""
    units = {entry.restarts for entry in entries}
    return tuple(role for role in inputs.roles(inputs.fleet.hosts[host]) if inputs.unit(role) in units)
