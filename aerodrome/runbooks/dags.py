"""Copy the DAG folder to every node."""

from __future__ import annotations

from collections.abc import Collection

from aerodrome.components.inputs import Inputs
from aerodrome.components.node import dags
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput


def deploy_dags(inputs: Inputs, hosts: Collection[str], roles: Collection[str]) -> Runbook:
    """Copy the DAG folder and airflow.cfg to the nodes among `hosts`; InvalidInput if there is neither."""
    resources = dags(inputs)
    if not resources:
        raise InvalidInput(f"{inputs.fleet.source}: there is no DAG folder to deploy", "set deploy.dags")
    steps = {host.name: [Step("node.dags", resources)] for host in inputs.fleet.nodes()}
    return Runbook("deploy-dags", tuple(only([Stage("dags", steps, {})], hosts)))
