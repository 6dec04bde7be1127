"""Everything in order, and what that would change."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import FORCE, WAIT, Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.plan import HostPlan
    from aerodrome.core.stage import Stage
    from aerodrome.errors import FleetError


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
        _check_downtime(run, role, accept_downtime)
        run.connect(roles)
        # Not before: what takes time to import is imported while hosts answer.
        from aerodrome.components.notes import setting_notes
        from aerodrome.components.order import stages
        from aerodrome.report.terminal import say

        for note in setting_notes(run.inputs):
            say(f"note: {note}")

        def wanted(inputs: Inputs) -> Sequence[Stage]:
            return stages(replace(inputs, accept_downtime=accept_downtime, force=force), run.names, roles)

        converge(run, wanted, force)


def _check_downtime(run: Session, role: str | None, accept_downtime: bool) -> None:
    """Refuse to change Airflow's version in a part of the fleet: the rest would go on as the other version."""
    from aerodrome.errors import InvalidInput

    if accept_downtime and (role or len(run.hosts) < len(run.fleet.hosts)):
        raise InvalidInput("--accept-downtime is for the whole fleet", "leave out -H and --role")


@task(
    help={
        "role": "only hosts with this role",
        "accept_downtime": "what deploy would do with this option",
        "script": "print the very shell that each host would run, secrets masked",
        "json": "print JSON",
    }
)
def plan(
    context: Any, role: str | None = None, accept_downtime: bool = False, script: bool = False, json: bool = False
) -> None:
    """Show what deploy would change, and change nothing. Exit code 0: no changes, 2: changes, 1: error.

    Examples:
      fab plan
      fab -H worker1 plan --script    # the exact scripts that this host would run
      fab plan --json                 # for a program
    """
    from aerodrome.components.notes import notes
    from aerodrome.components.order import stages
    from aerodrome.core.stage import by_host
    from aerodrome.errors import FleetError
    from aerodrome.report.json import show_plans_as_json
    from aerodrome.report.terminal import say, show_plans
    from aerodrome.resources.takeover import KeysFound

    with session(context) as run:
        roles = pick_roles(run.fleet, role)
        _check_downtime(run, role, accept_downtime)
        run.connect(roles)

        def ask() -> tuple[list[HostPlan], FleetError | None]:
            blueprint = by_host(stages(replace(run.inputs, accept_downtime=accept_downtime), run.names, roles))
            try:
                return list(run.run.ask(blueprint).values()), None
            except FleetError as error:
                if any(isinstance(failure.refusal, KeysFound) for failure in error.failures):
                    raise
                return list(error.results.values()), error

        plans, failed = run.adopting(ask)
        for note in notes(run.inputs) if plans else ():
            say(f"note: {note}")
        for host, note in ((each.host, note) for each in plans for note in each.notes):
            say(f"note: {host}: {note}")
    if json:
        show_plans_as_json(plans)
    else:
        show_plans(plans, script)
    if failed:
        raise failed
    changes = sum(len(each.changes) for each in plans)
    hosts = sum(bool(each.changes) for each in plans)
    say(f"{changes} changes on {hosts} of {len(plans)} hosts" if changes else "no changes")
    if changes:
        sys.exit(2)


def converge(run: Session, stages: Callable[[Inputs], Sequence[Stage]], force: bool = False) -> None:
    """Bring about the stages that `stages` makes of the run's inputs; say whether anything had to be changed.

    Raises FleetError at the end if running tasks were killed, unless `force` has allowed it.
    """
    from aerodrome.errors import FleetError, InvalidInput
    from aerodrome.report.terminal import say

    def work() -> bool:
        wanted = stages(run.inputs)
        if not wanted:
            raise InvalidInput("none of the picked hosts has a part in this", "see roles in hosts.yaml, -H and --role")
        return run.run.converge(wanted)

    changed = run.adopting(work)
    say(f"done: {len(run.run.changed)} hosts changed" if changed else "no changes")
    if run.run.killed and not force:
        raise FleetError(run.run.killed)
