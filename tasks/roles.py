"""Steps 3 to 5 of the guide: enable, drop-in, start, and wait until it is healthy."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.deploy import converge
from tasks.session import session


def _role(context: Any, name: str) -> None:
    from aerodrome.blueprint.stages import only, role_stages

    with session(context) as run:
        converge(run, lambda inputs: only(role_stages(inputs, [name]), run.names))


@task
def scheduler(context: Any) -> None:
    """Step 3: the schedulers; the first one migrates the database."""
    _role(context, "scheduler")


@task
def dag_processor(context: Any) -> None:
    """The DAG processors (Airflow 3)."""
    _role(context, "dag-processor")


@task
def triggerer(context: Any) -> None:
    """The triggerers (Airflow 2 and 3)."""
    _role(context, "triggerer")


@task
def webserver(context: Any) -> None:
    """Step 4: the web servers."""
    _role(context, "webserver")


@task
def worker(context: Any) -> None:
    """Step 5: the workers, one after another where they run already."""
    _role(context, "worker")
