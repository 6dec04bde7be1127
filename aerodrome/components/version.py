"""Prevent a change of Airflow's version under running tasks."""

from __future__ import annotations

from aerodrome.checks.version import ELSEWHERE, EMPTY, HERE, UNKNOWN, Version
from aerodrome.components.command import PATIENCE, connection, in_unit_environment
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import heredoc, quote
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.resources.version import Installation


def version(inputs: Inputs, host: Host) -> Version:
    """Return the check that Airflow's version on a node does not change under running tasks."""
    marks = {"empty": EMPTY, "here": HERE, "elsewhere": ELSEWHERE, "unknown": UNKNOWN}
    accepted = inputs.accept_downtime or bool(inputs.rolls_from)
    asks = program("migrated", **marks, **connection(inputs))
    role = inputs.role_for_commands(host)
    if not inputs.uses_database(role):
        # A host that does not know the database leaves the question to others; only a whole run is sure to ask those.
        ask = EMPTY if inputs.whole else "only other hosts know it: run fab deploy without -H and --role"
        return Version(installation(inputs), f"echo {quote(ask)}", accepted)
    # Without an environment file, nothing has ever run here.
    known = python_in_use(inputs, asks, role, PATIENCE)
    ask = f"if [ ! -e {quote(inputs.environment_file)} ]; then echo {EMPTY}; else {known}\nfi"
    return Version(installation(inputs), ask, accepted)


def installation(inputs: Inputs) -> Installation:
    """Return the possible locations of Airflow on a node, and the wanted version."""
    # The second is the location before environments had a directory of their own.
    places = dict.fromkeys([inputs.venv, inputs.guide_venv])
    return Installation(tuple(places), ".".join(inputs.fleet.airflow.version.split(".")[:3]))


def python_in_use(inputs: Inputs, program: str, role: str, seconds: int = 0) -> str:
    """Return sh that runs a program with the Python of `$venv` in the units' environment, for at most `seconds`."""
    unit = in_unit_environment(inputs, [], role, folder="/", bare=True, seconds=seconds)
    return f'{unit}"$venv"/bin/python -I - {heredoc(program)}'
