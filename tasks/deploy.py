"""Deploy everything, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import FORCE, JSON, WAIT, check_downtime, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.runbook import Runbook


IMPORTS = "use another virtual environment even if there are DAGs that only the one in use can import"
DOWNTIME = "if Airflow's version changes, stop everything first, in a safe order, once running tasks have finished"


@task(
    help={
        "role": "only hosts with this role, and only what it needs (several: worker,webserver)",
        "accept_downtime": DOWNTIME,
        "allow_import_errors": IMPORTS,
        **WAIT,
        **FORCE,
        **JSON,
    }
)
def deploy(
    context: Any,
    role: str | None = None,
    accept_downtime: bool = False,
    allow_import_errors: bool = False,
    wait: str | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Bring all hosts, or those of -H, to the state in hosts.yaml; each role must be healthy before the next starts.

    If only the virtual environment changes (another lock file or Python), all DAGs are imported with the new one first.

    Examples:
      fab deploy
      fab -H @worker deploy            # only the hosts that have the role worker
      fab deploy --accept-downtime     # after airflow.version was changed in hosts.yaml
    """

    with session(context, wait, json) as run:
        picked = pick_roles(run.fleet, role)
        check_downtime(run, role, accept_downtime)
        run.connect(picked)

        def runbook(inputs: Inputs, hosts: Sequence[str], roles: Sequence[str]) -> Runbook:
            # Slow imports happen while hosts answer.
            from aerodrome.runbooks.deploy import deploy

            this = run.recorder.run
            return deploy(inputs, hosts, roles, accept_downtime, force, this, allow_import_errors)

        run.perform(runbook, picked)
