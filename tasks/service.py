"""Units that run: start, stop, restart, how they are, and what they say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.deploy import converge
from tasks.session import Session, pick_roles, session

if TYPE_CHECKING:
    from aerodrome.fleet import Host

ROLE = {"role": "only this role (several: scheduler,worker)"}


@task(help=ROLE)
def start(context: Any, role: str | None = None) -> None:
    """Start what does not run, in deploy's order, and wait until it is healthy."""
    from aerodrome.blueprint.stages import only, role_stages

    with session(context) as run:
        roles = pick_roles(run.fleet, role)
        converge(run, lambda inputs: only(role_stages(inputs, roles), run.names))


@task(help=ROLE)
def restart(context: Any, role: str | None = None) -> None:
    """Restart, one host of a role at a time; workers finish their running tasks first."""
    from aerodrome.blueprint.stages import only, role_stages

    with session(context) as run:
        roles = pick_roles(run.fleet, role)
        converge(run, lambda inputs: only(role_stages(inputs, roles, again=True), run.names))


@task(help=ROLE)
def stop(context: Any, role: str | None = None) -> None:
    """Stop, workers first; they finish their running tasks. What is enabled starts again at boot.

    Units that hosts.yaml no longer has on a host are stopped, too.
    """
    from aerodrome.blueprint.stages import only, stop_stages

    with session(context) as run:
        roles = pick_roles(run.fleet, role, unused=True)
        converge(run, lambda inputs: only(stop_stages(inputs, roles), run.names))


@task(help={**ROLE, "json": "print JSON"})
def status(context: Any, role: str | None = None, json: bool = False) -> None:
    """Show every role's unit and health; exit code 1 when anything is not healthy."""
    from aerodrome.remote.status import status as look
    from aerodrome.report.json import show_status_as_json
    from aerodrome.report.status import show_status

    with session(context) as run:
        rows = look(run.run, run.hosts, pick_roles(run.fleet, role, unused=True))
    (show_status_as_json if json else show_status)(rows)
    if not rows or not all(row.healthy for row in rows):
        sys.exit(1)


@task(help={**ROLE, "follow": "go on until Ctrl-C", "lines": "how many of the last lines of each unit"})
def logs(context: Any, role: str | None = None, follow: bool = False, lines: str = "50") -> None:
    """Show the journals of the units, each line with its host."""
    from aerodrome.blueprint.logs import journal_script
    from aerodrome.errors import InvalidInput
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.terminal import Prefixed

    with session(context) as run:
        if not lines.isdigit():
            raise InvalidInput(f"--lines: {lines} is no number", "--lines=100")
        roles, width = pick_roles(run.fleet, role), max(len(name) for name in run.names)

        def show(host: Host) -> None:
            script = journal_script(run.inputs, host, roles, int(lines), follow)
            printer = Prefixed(host.name, width)
            run_script(run.connections, host, script, on_text=printer.read, hold=follow)
            printer.close()

        nodes = _with_units(run, roles)
        # Side by side they would mix; followed, that is what is wanted.
        each(nodes, show, len(nodes) if follow else 1)


def _with_units(run: Session, roles: list[str]) -> list[Host]:
    return [host for host in run.hosts if set(run.fleet.roles_of(host)) & set(roles)]
