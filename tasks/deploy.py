"""Everything in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import FORCE, WAIT, check_downtime, converge, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.stage import Stage


DOWNTIME = "stop everything first, in a safe order, where Airflow's version changes: tasks that run are waited for"


@task(
    help={
        "role": "only hosts with this role, and only what it needs (several: worker,webserver)",
        "accept_downtime": DOWNTIME,
        **WAIT,
        **FORCE,
    }
)
def deploy(
    context: Any,
    role: str | None = None,
    accept_downtime: bool = False,
    wait: str | None = None,
    force: bool = False,
) -> None:
    """Bring all hosts, or those of -H, to the state in hosts.yaml; each role must be healthy before the next starts.

    Examples:
      fab deploy
      fab -H @worker deploy            # only the hosts that have the role worker
      fab deploy --accept-downtime     # after airflow.version was changed in hosts.yaml
    """
    with session(context, wait) as run:
        roles = pick_roles(run.fleet, role)
        check_downtime(run, role, accept_downtime)
        run.connect(roles)
        # Not before: what takes time to import is imported while hosts answer.
        from aerodrome.components.notes import setting_notes
        from aerodrome.report.terminal import say
        from aerodrome.runbooks.deploy import stages

        for note in setting_notes(run.inputs):
            say(f"note: {note}")

        def wanted(inputs: Inputs) -> Sequence[Stage]:
            return stages(replace(inputs, accept_downtime=accept_downtime, force=force), run.names, roles)

        converge(run, wanted, force)
