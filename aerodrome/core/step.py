"""A named part of what a host is made of."""

from __future__ import annotations

from aerodrome.core.resource import Resource
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Step:
    """A step of the guide, such as `node.packages`, and its resources in order."""

    name: str
    resources: tuple[Resource, ...]
