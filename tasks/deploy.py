"""Everything in order, and what that would change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.blueprint.stages import Stage


@task(help={"role": "only hosts with this role, and only what it needs (several: worker,webserver)"})
def deploy(context: Any, role: str | None = None) -> None:
    """Bring all hosts, or those of -H, to what hosts.yaml says; each role is healthy before the next."""
    from aerodrome.blueprint.stages import stages

    with session(context) as run:
        converge(run, stages(run.inputs, run.names, pick_roles(run.fleet, role)))


@task(
    help={
        "role": "only hosts with this role",
        "script": "print the very shell that each host would run, secrets masked",
        "json": "print JSON",
    }
)
def plan(context: Any, role: str | None = None, script: bool = False, json: bool = False) -> None:
    """Show what deploy would change, and change nothing; exit code 0: nothing, 2: something, 1: error."""
    from aerodrome.blueprint.stages import stages
    from aerodrome.errors import FleetError
    from aerodrome.report.json import show_plans_as_json
    from aerodrome.report.terminal import say, show_plans

    with session(context) as run:
        blueprint: dict[str, list[Any]] = {}
        for stage in stages(run.inputs, run.names, pick_roles(run.fleet, role)):
            for name, steps in stage.steps.items():
                blueprint.setdefault(name, []).extend(steps)
        failed = None
        try:
            plans = list(run.run.ask(blueprint).values())
        except FleetError as error:
            plans, failed = list(error.results.values()), error
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


def converge(run: Session, stages: Sequence[Stage]) -> None:
    """Bring `stages` about and say whether anything had to be changed."""
    from aerodrome.errors import InvalidInput
    from aerodrome.report.terminal import say

    if not stages:
        raise InvalidInput("none of the picked hosts has a part in this", "see roles in hosts.yaml, -H and --role")
    changed = run.run.converge(stages)
    say(f"done: {len(run.run.changed)} hosts changed" if changed else "no changes")
