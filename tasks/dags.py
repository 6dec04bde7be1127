"""DAGs to every node."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.deploy import converge
from tasks.session import session


@task
def deploy_dags(context: Any) -> None:
    """Put the local DAG folder (and airflow.cfg) on every node, whole; nothing restarts."""
    from aerodrome.blueprint.node import dags
    from aerodrome.blueprint.stages import Stage
    from aerodrome.blueprint.step import Step
    from aerodrome.errors import InvalidInput

    with session(context) as run:
        resources = dags(run.inputs)
        if not resources:
            raise InvalidInput(f"{run.fleet.source}: there is no DAG folder to deploy", "name one: deploy.dags")
        nodes = [host.name for host in run.fleet.nodes() if host.name in run.names]
        steps = {name: [Step("node.dags", resources)] for name in nodes}
        converge(run, [Stage("dags", steps, {})] if steps else [])
