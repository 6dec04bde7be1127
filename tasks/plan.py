"""Show what deploy would change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import Session, check_downtime, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.core.plan import HostPlan
    from aerodrome.errors import FleetError


@task(
    help={
        "role": "only hosts with this role",
        "accept_downtime": "what deploy would do with this option",
        "script": "print the exact script that each host would run, with secrets masked",
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
    from aerodrome.report.json import show_plans_as_json
    from aerodrome.report.terminal import say, show_plans

    with session(context) as run:
        roles = pick_roles(run.fleet, role)
        check_downtime(run, role, accept_downtime)
        run.connect(roles)
        plans, failed = run.adopting(lambda: _ask(run, roles, accept_downtime))
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


def _ask(run: Session, roles: Sequence[str], accept_downtime: bool) -> tuple[list[HostPlan], FleetError | None]:
    """Return the hosts' plans, and why others could not be asked. Keys that are found are left to `adopting`."""
    from aerodrome.checks.keys import KeysFound
    from aerodrome.core.stage import by_host
    from aerodrome.errors import FleetError
    from aerodrome.runbooks.deploy import deploy

    wanted = by_host(deploy(run.inputs, run.names, roles, accept_downtime, run=run.recorder.run).stages)
    try:
        return list(run.run.ask(wanted).values()), None
    except FleetError as error:
        if any(isinstance(failure.refusal, KeysFound) for failure in error.failures):
            raise
        return list(error.results.values()), error
