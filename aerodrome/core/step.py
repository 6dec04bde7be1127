"""Steps: named parts of a host."""

from __future__ import annotations

from functools import cached_property

from aerodrome.core.check import Check
from aerodrome.core.resource import Resource
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Step:
    """A step of the guide, such as `node.packages`: its resources, in order, and the checks that must hold first."""

    name: str
    resources: tuple[Resource, ...]
    requires: tuple[Check, ...] = ()

    @property
    def parts(self) -> tuple[Check | Resource, ...]:
        """The checks and resources to ask about, in order."""
        return (*self.requires, *self.resources)

    @cached_property
    def probes(self) -> tuple[str, ...]:
        """The probe of each of `parts`; composed once, because a run needs it several times."""
        return tuple(part.probe() for part in self.parts)
