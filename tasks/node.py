"""Step 2 of the guide: all of it, and each part separately."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke import task

from tasks.session import perform


def _node(context: Any, part: str | None = None) -> None:
    from aerodrome.runbooks.node import setup_node

    perform(context, partial(setup_node, part=part))


@task
def setup_node(context: Any) -> None:
    """Step 2: set up everything that a machine needs before it can run an Airflow role.

    It runs the steps node.packages, node.user, node.hosts, node.venv, node.install, node.unit and node.environment, and
    copies the DAG folder. Nothing is started.

    Examples:
      fab setup-node
      fab -H worker3 setup-node    # prepare a new machine
    """
    _node(context)


@task
def packages(context: Any) -> None:
    """Install the distribution's packages: sudo, Python with its headers, gcc.

    Examples:
      fab node.packages
      fab -H worker3 node.packages
    """
    _node(context, "node.packages")


@task
def user(context: Any) -> None:
    """Create the service user and AIRFLOW_HOME.

    Examples:
      fab node.user
      fab -H worker3 node.user
    """
    _node(context, "node.user")


@task
def hosts(context: Any) -> None:
    """Write the fleet's names and addresses to /etc/hosts, and the name that Airflow reports for each host.

    Examples:
      fab node.hosts
      fab -H @webserver node.hosts    # web servers fetch task logs from workers by these names
    """
    _node(context, "node.hosts")


@task
def venv(context: Any) -> None:
    """Create the virtual environment, without packages.

    Examples:
      fab node.venv
      fab -H worker3 node.venv
    """
    _node(context, "node.venv")


@task
def install(context: Any) -> None:
    """Install Airflow from its lock file, and switch to that virtual environment.

    Examples:
      fab node.install
      fab -H worker3 node.install
    """
    _node(context, "node.install")


@task
def unit(context: Any) -> None:
    """Write the systemd template unit.

    Examples:
      fab node.unit
      fab -H worker3 node.unit
    """
    _node(context, "node.unit")


@task
def environment(context: Any) -> None:
    """Write the environment file, which holds Airflow's settings and secrets.

    Examples:
      fab node.environment
      fab -H worker3 node.environment
    """
    _node(context, "node.environment")
