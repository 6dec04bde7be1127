"""Steps 3 to 5 of the guide: write the drop-in, enable, start, and wait until the role is healthy."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import perform


def _role(context: Any, name: str) -> None:
    from aerodrome.runbooks.units import start

    perform(context, start, name, unused=True)


@task
def scheduler(context: Any) -> None:
    """Step 3: set up and start the schedulers; the first one migrates the database.

    Examples:
      fab roles.scheduler
      fab -H sched2 roles.scheduler    # a second scheduler (from Airflow 2)
    """
    _role(context, "scheduler")


@task
def dag_processor(context: Any) -> None:
    """Set up and start the DAG processors (Airflow 3).

    Examples:
      fab roles.dag-processor
      fab -H sched1 roles.dag-processor
    """
    _role(context, "dag-processor")


@task
def triggerer(context: Any) -> None:
    """Set up and start the triggerers (Airflow 2 and 3).

    Examples:
      fab roles.triggerer
      fab -H sched1 roles.triggerer
    """
    _role(context, "triggerer")


@task
def webserver(context: Any) -> None:
    """Step 4: set up and start the web servers.

    Examples:
      fab roles.webserver
      fab -H web2 roles.webserver
    """
    _role(context, "webserver")


@task
def worker(context: Any) -> None:
    """Step 5: set up and start the workers; running ones restart one after another.

    Examples:
      fab roles.worker
      fab -H worker3 setup-node roles.worker    # a new machine
    """
    _role(context, "worker")
