"""Set up the broker."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.inputs import Inputs
from aerodrome.components.roles.redis import COMPONENT
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only


def setup_redis(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Set up Redis on the host that has the role redis."""
    steps = {
        host.name: [*COMPONENT.machine(inputs, host), *COMPONENT.settings(inputs, host)]
        for host in inputs.fleet.with_role("redis")
    }
    return Runbook("setup-redis", tuple(only([Stage("redis", steps, {})], hosts)))
