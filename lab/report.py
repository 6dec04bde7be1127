"""How the practice fleet's status is printed."""

from __future__ import annotations

from collections.abc import Sequence

from lab.fleet import HostStatus


def status_lines(hosts: Sequence[HostStatus]) -> list[str]:
    """Return one line per host: name, state, and how to reach it."""
    return [
        f"{each.name:<9} {'up' if each.up else 'down':<5} {each.user}@{each.address}"
        + (f" through {each.via}" if each.via else "")
        for each in hosts
    ]
