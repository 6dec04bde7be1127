"""Copy DAGs to every node."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import JSON, WAIT, perform


@task(help={**WAIT, **JSON})
def deploy_dags(context: Any, wait: str | None = None, json: bool = False) -> None:
    """Copy the local DAG folder (and airflow.cfg) to every node and switch to it in one rename; nothing restarts.

    Examples:
      fab deploy-dags
      fab -H worker1,worker2 deploy-dags    # only these hosts
      fab deploy-dags --wait=1h             # wait longer for another run that is changing the fleet
    """
    from aerodrome.runbooks.dags import deploy_dags

    perform(context, deploy_dags, wait=wait, json=json)
