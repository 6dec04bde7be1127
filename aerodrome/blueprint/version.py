"""A change of Airflow's version: what keeps it from happening under running tasks, and the stop that it takes."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.blueprint.airflow import connection, in_unit_environment
from aerodrome.blueprint.census import drain, unreported
from aerodrome.blueprint.inputs import Inputs
from aerodrome.blueprint.step import Step
from aerodrome.fleet import Host
from aerodrome.render import render
from aerodrome.resources.base import heredoc, quote
from aerodrome.resources.version import ELSEWHERE, EMPTY, HERE, UNKNOWN, Halted, Installation, Version


def version(inputs: Inputs) -> Version:
    """Return Airflow's version on a node as what may not change under running tasks."""
    marks = {"empty": EMPTY, "here": HERE, "elsewhere": ELSEWHERE, "unknown": UNKNOWN}
    program = render("migrated.py.j2", **marks, **connection(inputs))
    # Without an environment file nothing has ever run here.
    ask = f"if [ ! -e {quote(inputs.environment_file)} ]; then echo {EMPTY}; else {python_in_use(inputs, program)}\nfi"
    return Version(installation(inputs), ask, inputs.accept_downtime)


def halted(inputs: Inputs, host: Host, roles: Sequence[str], last: bool = False) -> Step:
    """Return what stops the units of `roles` on a host whose version changes; the `last` one waits for all tasks."""
    wait = ""
    if last:
        program = render("drained.py.j2", seconds=inputs.fleet.deploy.drain_timeout, **connection(inputs))
        wait = f"{installation(inputs).find()}\n{python_in_use(inputs, program)}"
    units = tuple(Halted(installation(inputs), inputs.unit(role), wait, drain(inputs, host, role)) for role in roles)
    told = [each for role in roles for each in unreported(inputs, role)]
    return Step(f"halt.{roles[0]}", (*units, *told))


def installation(inputs: Inputs) -> Installation:
    """Return where a node may have an Airflow, and which one it is to have."""
    # The second is where it was before environments had a place of their own.
    places = dict.fromkeys([inputs.venv, inputs.guide_venv])
    return Installation(tuple(places), ".".join(inputs.fleet.airflow.version.split(".")[:3]))


def python_in_use(inputs: Inputs, program: str) -> str:
    """Return sh that runs a program with the Python of `$venv`, in the units' environment."""
    return f'{in_unit_environment(inputs, [], folder="/", bare=True)}"$venv"/bin/python -I - {heredoc(program)}'
