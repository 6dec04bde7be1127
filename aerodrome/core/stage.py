"""A stage: a part of a run that is done on all its hosts before the next begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field, replace

from aerodrome.core.check import Check, Gate
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of a runbook: it begins once the previous stage is done on all its hosts. Mappings are by host name."""

    name: str
    steps: Mapping[str, Sequence[Step]]  # resources to reach, and actions to do
    gates: Mapping[str, Gate]  # what must be ok at its end
    requires: Mapping[str, Sequence[Check]] = field(default_factory=dict)  # what must be ok before it changes anything
    # Resources to reach if this stage fails, or a later one up to a stage that commits.
    way_back: Mapping[str, Sequence[Step]] = field(default_factory=dict)
    commits: bool = False  # once it has begun, earlier stages are not taken back


def by_host(parts: Sequence[Stage]) -> dict[str, list[Step]]:
    """Return all steps of each host, in the order of the stages."""
    steps: dict[str, list[Step]] = {}
    for stage in parts:
        for host, own in stage.steps.items():
            steps.setdefault(host, []).extend(own)
    return steps


def only(parts: Sequence[Stage], hosts: Collection[str]) -> list[Stage]:
    """Return the stages for `hosts` only, without those that have no host left."""
    picked = [
        replace(
            stage,
            steps={host: steps for host, steps in stage.steps.items() if host in hosts and steps},
            gates={host: gate for host, gate in stage.gates.items() if host in hosts},
            requires={host: checks for host, checks in stage.requires.items() if host in hosts},
            way_back={host: steps for host, steps in stage.way_back.items() if host in hosts},
        )
        for stage in parts
    ]
    return [stage for stage in picked if stage.steps]


def joined(parts: Sequence[Stage], idle: Callable[[Stage], bool]) -> list[Stage]:
    """Return the stages with "settings" as a part of "machines", if no stage between them has anything to do.

    This saves every host an exec.
    """
    places = {stage.name: place for place, stage in enumerate(parts)}
    first, last = places.get("machines", 0), places.get("settings", 0)
    if first >= last or not all(map(idle, parts[first + 1 : last])):
        return list(parts)
    steps = by_host([parts[first], parts[last]])
    return [*parts[:first], replace(parts[first], steps=steps), *parts[last + 1 :]]
