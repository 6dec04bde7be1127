"""Units: start, stop, restart."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke import task

from tasks.session import FORCE, JSON, ROLE, WAIT, perform

CHANGES = {**ROLE, **WAIT, **JSON}


@task(help=CHANGES)
def start(context: Any, role: str | None = None, wait: str | None = None, json: bool = False) -> None:
    """Start everything that is not running, in deploy's order, and wait until it is healthy.

    Examples:
      fab start
      fab -H web1 start
      fab start --role=scheduler,worker
    """
    from aerodrome.runbooks.units import start

    perform(context, start, role, wait, json=json)


@task(help={**CHANGES, **FORCE})
def restart(
    context: Any, role: str | None = None, wait: str | None = None, force: bool = False, json: bool = False
) -> None:
    """Restart one host of a role at a time; workers finish their running tasks first.

    Examples:
      fab restart --role=webserver
      fab -H worker1 restart
      fab restart --role=worker --force    # exit with 0 even if tasks had to be killed
    """
    from aerodrome.runbooks.units import restart

    perform(context, partial(restart, force=force), role, wait, json=json)


@task(help={**CHANGES, **FORCE})
def stop(
    context: Any, role: str | None = None, wait: str | None = None, force: bool = False, json: bool = False
) -> None:
    """Stop everything, schedulers first; running tasks finish. Enabled units start again at boot.

    Units whose role hosts.yaml no longer gives to their host are stopped too.

    Examples:
      fab stop
      fab -H worker1 stop                   # before maintenance on this machine
      fab stop --role=scheduler --wait=5m
    """
    from aerodrome.runbooks.units import stop

    perform(context, partial(stop, force=force), role, wait, unused=True, json=json)
