"""Copy DAGs to every node."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke import task

from tasks.session import JSON, WAIT, perform, session

TO = "name of a release, as fab releases shows it (default: the one before the one in use)"


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


@task(help={"to": TO, **WAIT, **JSON})
def rollback_dags(context: Any, to: str | None = None, wait: str | None = None, json: bool = False) -> None:
    """Switch every node back to the previous DAG folder, which it still has; nothing is copied and nothing restarts.

    Run again, it goes back one more. All nodes switch to the same release, or none does: a node that does not have it
    is named, and nothing is changed. airflow.cfg stays as it is. The next deploy-dags or deploy moves forward again.

    Examples:
      fab rollback-dags
      fab rollback-dags --to=3f9a1c0d2b4e5f67    # this one; fab releases shows their names
    """
    from aerodrome.components.releases import DAGS, held
    from aerodrome.runbooks.dags import previous_dags, rollback_dags

    with session(context, wait, json) as run:
        name = previous_dags(held(run.inputs, run.hosts, run.run.look, DAGS)) if to is None else to
        run.perform(partial(rollback_dags, to=name), [])
