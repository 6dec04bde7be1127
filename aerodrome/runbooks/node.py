"""Set up the machines that run Airflow, without starting anything."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.inputs import Inputs
from aerodrome.components.node import node
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only


def setup_node(inputs: Inputs, hosts: Collection[str], roles: Collection[str], part: str | None = None) -> Runbook:
    """Set up the nodes among `hosts`, or only the step `part` of each."""
    steps = {host.name: node(inputs, host) for host in inputs.fleet.nodes() if host.name in hosts}
    picked = {host: [step for step in own if part in (None, step.name)] for host, own in steps.items()}
    return Runbook(part or "setup-node", tuple(only([Stage(part or "nodes", picked, {})], hosts)))
