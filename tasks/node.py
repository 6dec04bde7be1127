"""Step 2 of the guide: the whole, and each part for a rerun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.deploy import converge
from tasks.session import session

if TYPE_CHECKING:
    from aerodrome.blueprint.inputs import Inputs
    from aerodrome.blueprint.stages import Stage


def _node(context: Any, part: str | None = None) -> None:
    from aerodrome.blueprint.node import node
    from aerodrome.blueprint.stages import Stage

    def stages(inputs: Inputs) -> list[Stage]:
        nodes = [host for host in inputs.fleet.nodes() if host.name in run.names]
        steps = {host.name: [step for step in node(inputs, host) if part in (None, step.name)] for host in nodes}
        return [Stage(part or "nodes", steps, {})] if steps else []

    with session(context) as run:
        converge(run, stages)


@task
def setup_node(context: Any) -> None:
    """Step 2: all that a machine needs before it runs a part of Airflow."""
    _node(context)


@task
def packages(context: Any) -> None:
    """Install the distribution's packages: sudo, Python with its headers, gcc."""
    _node(context, "node.packages")


@task
def user(context: Any) -> None:
    """Make the service user and AIRFLOW_HOME."""
    _node(context, "node.user")


@task
def hosts(context: Any) -> None:
    """Write the fleet's names and addresses into /etc/hosts, and the name that Airflow reports for each host."""
    _node(context, "node.hosts")


@task
def venv(context: Any) -> None:
    """Make the virtual environment."""
    _node(context, "node.venv")


@task
def install(context: Any) -> None:
    """Install Airflow from its lock file."""
    _node(context, "node.install")


@task
def unit(context: Any) -> None:
    """Write the systemd template unit."""
    _node(context, "node.unit")


@task
def environment(context: Any) -> None:
    """Write the environment file."""
    _node(context, "node.environment")
