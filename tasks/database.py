"""Step 1 of the guide."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.deploy import converge
from tasks.session import session


@task
def setup_db(context: Any) -> None:
    """Step 1: PostgreSQL with user, database, and access for the fleet's nodes."""
    from aerodrome.blueprint.database import database
    from aerodrome.blueprint.stages import Stage

    with session(context) as run:
        steps = {host.name: database(run.inputs) for host in run.with_role("database")}
        converge(run, [Stage("database", steps, {})] if steps else [])
