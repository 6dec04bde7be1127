"""Steps 3 to 5 of the guide: enable, drop-in, start, and wait until it is healthy."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import JSON, perform


def _role(context: Any, json: bool, name: str) -> None:
    from aerodrome.runbooks.units import start

    perform(context, start, name, unused=True, json=json)


@task(help=JSON)
def scheduler(context: Any, json: bool = False) -> None:
    """Step 3: set up and start the schedulers; the first one migrates the database.

    Examples:
      fab roles.scheduler
      fab -H sched2 roles.scheduler    # a second scheduler (from Airflow 2)
    """
    _role(context, json, "scheduler")


@task(help=JSON)
def dag_processor(context: Any, json: bool = False) -> None:
    """Set up and start the DAG processors (Airflow 3).

    Examples:
      fab roles.dag-processor
      fab -H sched1 roles.dag-processor
    """
    _role(context, json, "dag-processor")


@task(help=JSON)
def triggerer(context: Any, json: bool = False) -> None:
    """Set up and start the triggerers (Airflow 2 and 3).

    Examples:
      fab roles.triggerer
      fab -H sched1 roles.triggerer
    """
    _role(context, json, "triggerer")


@task(help=JSON)
def webserver(context: Any, json: bool = False) -> None:
    """Step 4: set up and start the web servers.

    Examples:
      fab roles.webserver
      fab -H web2 roles.webserver
    """
    _role(context, json, "webserver")


@task(help=JSON)
def worker(context: Any, json: bool = False) -> None:
    """Step 5: set up and start the workers; those that run already restart one after another.

    Examples:
      fab roles.worker
      fab -H worker3 setup-node roles.worker    # a new machine
    """
    _role(context, json, "worker")
