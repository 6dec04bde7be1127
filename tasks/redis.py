"""Celery's broker, where it is not the metadata database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import converge, session

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.stage import Stage


@task
def setup_redis(context: Any) -> None:
    """Set up the broker: Redis with a password, on the address of the host that has the role redis.

    Examples:
      fab setup-redis
      fab -H redis1 setup-redis
    """
    from aerodrome.components.roles.redis import COMPONENT
    from aerodrome.core.stage import Stage

    def stages(inputs: Inputs) -> list[Stage]:
        steps = {host.name: COMPONENT.machine(inputs, host) for host in run.with_role("redis")}
        return [Stage("redis", steps, {})] if steps else []

    with session(context) as run:
        converge(run, stages)
