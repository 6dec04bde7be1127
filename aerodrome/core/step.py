"""A named part of what a host is made of."""

from __future__ import annotations

from functools import cached_property

from aerodrome.core.check import Check
from aerodrome.core.resource import Resource
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Step:
    """A step of the guide, such as `node.packages`: what it is made of, in order, and what must hold first."""

    name: str
    resources: tuple[Resource, ...]
    requires: tuple[Check, ...] = ()

    @property
    def parts(self) -> tuple[Check | Resource, ...]:
        """Return all that is asked for, in order."""
        return (*self.requires, *self.resources)

    @cached_property
    def probes(self) -> tuple[str, ...]:
        """What each of `parts` asks; composed once, as it is needed several times in a run."""
        return tuple(part.probe() for part in self.parts)
