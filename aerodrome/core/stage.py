"""A part of a run: it is done on all its hosts before the next begins."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field

from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Stage:
    """A part of a deploy: it starts when the one before is whole on all its hosts."""

    name: str
    steps: Mapping[str, Sequence[Step]]  # by host name
    roles: Mapping[str, Sequence[str]]  # by host name: what must be healthy at its end
    undo: Mapping[str, Sequence[Step]] = field(default_factory=dict)  # by host name: what is brought about if it fails


def by_host(parts: Sequence[Stage]) -> dict[str, list[Step]]:
    """Return all steps of each host, in the order of the stages."""
    steps: dict[str, list[Step]] = {}
    for stage in parts:
        for host, own in stage.steps.items():
            steps.setdefault(host, []).extend(own)
    return steps


def only(parts: Sequence[Stage], hosts: Collection[str]) -> list[Stage]:
    """Return what is left of stages for `hosts`, without those that have none of them."""
    picked = [
        Stage(
            stage.name,
            {host: steps for host, steps in stage.steps.items() if host in hosts and steps},
            {host: roles for host, roles in stage.roles.items() if host in hosts},
            {host: steps for host, steps in stage.undo.items() if host in hosts},
        )
        for stage in parts
    ]
    return [stage for stage in picked if stage.steps]
