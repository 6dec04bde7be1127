"""Take the changes of a past run back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aerodrome.components.health import RoleHealth
from aerodrome.components.inputs import Inputs
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.core.undo import Entry, turn
from aerodrome.resources.taken_back import TakenBack


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
    return Runbook(f"undo of {run}", tuple(only(stages, hosts)))


def _name(when: tuple[int, int], stage: str) -> str:
    """Name a stage; a run may have had two of one name."""
    phase, place = when
    return f"{('undo', 'start', 'restart')[phase]} {abs(place)}: {stage}"


def _roles(inputs: Inputs, host: str, entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return the roles of a host whose units start or restart."""
    units = {entry.restarts for entry in entries}
    return tuple(role for role in inputs.roles(inputs.fleet.hosts[host]) if inputs.unit(role) in units)
