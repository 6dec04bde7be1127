"""Step 1 of the guide."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import JSON, perform


@task(help=JSON)
def setup_db(context: Any, json: bool = False) -> None:
    """Step 1: set up PostgreSQL with its user, its database and access for the nodes.

    With `database.managed: false`, each node verifies that it can log in to the database instead.

    Examples:
      fab setup-db
      fab -H worker1 setup-db    # with database.managed: false: can this host log in?
    """
    from aerodrome.runbooks.database import setup_database

    perform(context, setup_database, json=json)
