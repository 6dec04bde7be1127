"""A named part of what a host is made of."""

from __future__ import annotations

from aerodrome.dataclass import dataclass
from aerodrome.resources.base import Resource


@dataclass(frozen=True)
class Step:
    """A step of the guide, such as `node.packages`, and its resources in order."""

    name: str
    resources: tuple[Resource, ...]
