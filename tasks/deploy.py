"""Deploy everything, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import FORCE, JSON, WAIT, perform

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.runbook import Runbook


DOWNTIME = "if Airflow's version changes, stop everything first, in a safe order, once running tasks have finished"


@task(
    help={
        "role": "only hosts with this role, and only what it needs (several: worker,webserver)",
        "accept_downtime": DOWNTIME,
        **WAIT,
        **FORCE,
        **JSON,
    }
)
def deploy(
    context: Any,
    role: str | None = None,
    accept_downtime: bool = False,
    wait: str | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Bring all hosts, or those of -H, to the state in hosts.yaml; each role must be healthy before the next starts.

    Examples:
      fab deploy
      fab -H @worker deploy            # only the hosts that have the role worker
      fab deploy --accept-downtime     # after airflow.version was changed in hosts.yaml
    """

    def runbook(inputs: Inputs, hosts: Sequence[str], roles: Sequence[str]) -> Runbook:
        # Slow imports happen while hosts answer.
        from aerodrome.runbooks.deploy import deploy

        return deploy(inputs, hosts, roles, accept_downtime, force)

    perform(context, runbook, role, wait, downtime=accept_downtime, early=True, json=json)
