"""Which tasks run on a host, asked before and after a unit that runs them is stopped."""

from __future__ import annotations

from aerodrome.components.command import PATIENCE, connection, python_program
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import heredoc, quote
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.render import render
from aerodrome.resources.drain import Drain, Unreported

SHOWN = 10  # how many tasks of a host to name
LOOK = 10  # seconds for a look at processes


def drain(inputs: Inputs, host: Host, role: str) -> Drain | None:
    """Return how to stop the unit of a role, or None if the role runs no tasks.

    The metadata database lists the running tasks. If the role cannot reach it (a worker of Airflow 3), the processes
    of its unit are read instead, as long as they exist.
    """
    if not inputs.role(role).runs_tasks(inputs):
        return None
    limit = inputs.fleet.deploy.drain_timeout
    if not inputs.uses_database(role):
        script = render("running.sh.in", unit=quote(inputs.unit(role)), shown=SHOWN)
        # A process can delay whoever reads its command line, because that is in its own memory: hence the timeout.
        return Drain(f"timeout -s KILL {LOOK} sh {heredoc(script)}", limit, by_processes=True)
    asks = program("census", name=inputs.known_as(host), shown=SHOWN, **connection(inputs))
    return Drain(python_program(inputs, asks, role, PATIENCE), limit, holds=not inputs.role(role).waits(inputs))


def unreported(inputs: Inputs, role: str) -> tuple[Unreported, ...]:
    """Return the last report of a role's unit about stopping; nothing for a role that runs no tasks."""
    return (Unreported(inputs.unit(role)),) if inputs.role(role).runs_tasks(inputs) else ()
