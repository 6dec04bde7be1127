"""Which tasks run on a host: asked before a unit that runs them is stopped, and after."""

from __future__ import annotations

from aerodrome.blueprint.airflow import connection, python_program
from aerodrome.blueprint.inputs import Inputs
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.resources.drain import Drain


def runs_tasks(inputs: Inputs, role: str) -> bool:
    """Tell whether tasks are processes of the role's unit."""
    return role == "worker" or (role == "scheduler" and inputs.fleet.airflow.executor == "LocalExecutor")


def drain(inputs: Inputs, host: Host, role: str) -> Drain | None:
    """Return how the unit of a role is stopped; None for a role that runs no tasks."""
    # A worker of Airflow 3 does not know the metadata database, so it cannot be asked there.
    if not runs_tasks(inputs, role) or not inputs.uses_database(role):
        return None
    program = render("census.py.j2", name=repr(inputs.known_as(host)), **connection(inputs))
    return Drain(python_program(inputs, program, role), inputs.fleet.deploy.drain_timeout)
