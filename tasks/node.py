"""Step 2 of the guide: all of it, and each part separately."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke import task

from tasks.session import JSON, perform


def _node(context: Any, json: bool, part: str | None = None) -> None:
    from aerodrome.runbooks.node import setup_node

    perform(context, partial(setup_node, part=part), json=json)


@task(help=JSON)
def setup_node(context: Any, json: bool = False) -> None:
    """Step 2: set up everything that a machine needs before it can run an Airflow role.

    It runs the steps node.packages, node.user, node.hosts, node.venv, node.install, node.unit and node.environment, and
    copies the DAG folder. Nothing is started.

    Examples:
      fab setup-node
      fab -H worker3 setup-node    # prepare a new machine
    """
    _node(context, json)


@task(help=JSON)
def packages(context: Any, json: bool = False) -> None:
    """Install the distribution's packages: sudo, Python with its headers, gcc.

    Examples:
      fab node.packages
      fab -H worker3 node.packages
    """
    _node(context, json, "node.packages")


@task(help=JSON)
def user(context: Any, json: bool = False) -> None:
    """Create the service user and AIRFLOW_HOME.

    Examples:
      fab node.user
      fab -H worker3 node.user
    """
    _node(context, json, "node.user")


@task(help=JSON)
def hosts(context: Any, json: bool = False) -> None:
    """Write the fleet's names and addresses to /etc/hosts, and the name that Airflow reports for each host.

    Examples:
      fab node.hosts
      fab -H @webserver node.hosts    # web servers fetch task logs from workers by these names
    """
    _node(context, json, "node.hosts")


@task(help=JSON)
def venv(context: Any, json: bool = False) -> None:
    """Create the virtual environment, without packages.

    Examples:
      fab node.venv
      fab -H worker3 node.venv
    """
    _node(context, json, "node.venv")


@task(help=JSON)
def install(context: Any, json: bool = False) -> None:
    """Install Airflow from its lock file, and switch to that virtual environment.

    Examples:
      fab node.install
      fab -H worker3 node.install
    """
    _node(context, json, "node.install")


@task(help=JSON)
def unit(context: Any, json: bool = False) -> None:
    """Write the systemd template unit.

    Examples:
      fab node.unit
      fab -H worker3 node.unit
    """
    _node(context, json, "node.unit")


@task(help=JSON)
def environment(context: Any, json: bool = False) -> None:
    """Write the environment file, which holds Airflow's settings and secrets.

    Examples:
      fab node.environment
      fab -H worker3 node.environment
    """
    _node(context, json, "node.environment")
