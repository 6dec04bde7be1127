"""Step 1 of the guide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import converge, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.stage import Stage


@task
def setup_db(context: Any) -> None:
    """Step 1: set up PostgreSQL with its user, its database and access for the nodes.

    With `database.managed: false`, every node tries to log in to the database that you name.

    Examples:
      fab setup-db
      fab -H worker1 setup-db    # with database.managed: false: can this host log in?
    """
    from aerodrome.components.login import database_login
    from aerodrome.components.roles.database import COMPONENT
    from aerodrome.core.stage import Stage

    def stages(inputs: Inputs) -> list[Stage]:
        steps = {host.name: COMPONENT.machine(inputs, host) for host in run.with_role("database")}
        if not inputs.fleet.database.managed:
            steps = {
                host.name: found
                for host in inputs.fleet.nodes()
                if host.name in run.names and (found := database_login(inputs, host))
            }
        return [Stage("database", steps, {})] if steps else []

    with session(context) as run:
        converge(run, stages)
