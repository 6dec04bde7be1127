"""DAGs to every node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import WAIT, converge, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.stage import Stage


@task(help=WAIT)
def deploy_dags(context: Any, wait: str | None = None) -> None:
    """Copy the local DAG folder (and airflow.cfg) to every node and switch to it in one rename; nothing restarts.

    Examples:
      fab deploy-dags
      fab -H worker1,worker2 deploy-dags    # only these hosts
      fab deploy-dags --wait=1h             # another run is changing the fleet, and takes long
    """
    from aerodrome.components.node import dags
    from aerodrome.core.stage import Stage
    from aerodrome.core.step import Step
    from aerodrome.errors import InvalidInput

    def stages(inputs: Inputs) -> list[Stage]:
        resources = dags(inputs)
        if not resources:
            raise InvalidInput(f"{inputs.fleet.source}: there is no DAG folder to deploy", "name one: deploy.dags")
        nodes = [host.name for host in inputs.fleet.nodes() if host.name in run.names]
        steps = {name: [Step("node.dags", resources)] for name in nodes}
        return [Stage("dags", steps, {})] if steps else []

    with session(context, wait) as run:
        converge(run, stages)
