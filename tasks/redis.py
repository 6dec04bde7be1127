"""Celery's broker, if it is not the metadata database."""

from __future__ import annotations

from typing import Any

from invoke import task

from tasks.session import JSON, perform


@task(help=JSON)
def setup_redis(context: Any, json: bool = False) -> None:
    """Set up the broker: Redis with a password, on the address of the host with the role redis.

    Examples:
      fab setup-redis
      fab -H redis1 setup-redis
    """
    from aerodrome.runbooks.redis import setup_redis

    perform(context, setup_redis, json=json)
