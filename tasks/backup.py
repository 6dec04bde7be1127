"""Backups of the metadata database."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from invoke import task

from tasks.confirm import YES, confirmed
from tasks.session import JSON, WAIT, session


@task(help={**WAIT, **JSON})
def backup(context: Any, wait: str | None = None, json: bool = False) -> None:
    """Back up the metadata database while everything runs, and remove the oldest backups beyond backup.keep.

    A backup is one consistent snapshot, kept on the database's host in backup.directory, readable by root only. It
    holds the stored connections, encrypted, and password hashes. It does not hold the Fernet keys: without them, the
    connections in it cannot be read.

    Examples:
      fab backup
      fab backup --wait=1h    # wait longer for another run that is changing the fleet
    """
    from aerodrome.components.backups import version_in_use
    from aerodrome.runbooks.backup import backup, database_host

    with session(context, wait, json) as run:
        database_host(run.fleet)
        airflow = version_in_use(run.inputs, run.run.look)
        run.perform(partial(backup, name=run.recorder.run, airflow=airflow), [])


@task(name="list", default=True, help={"json": "print JSON"})
def backups(context: Any, json: bool = False) -> None:
    """Show the backups of the metadata database: their age, version, size, and whether they were drilled.

    Exit code 1 if one cannot be used, or if the database's host cannot be asked.

    Examples:
      fab backups
      fab backups --json    # for a program
    """
    from aerodrome.components.backups import backups
    from aerodrome.report.backups import show_backups, show_backups_as_json
    from aerodrome.report.terminal import say
    from aerodrome.runbooks.backup import database_host

    with session(context) as run:
        rows = backups(run.fleet, database_host(run.fleet), run.run.look)
    if not rows and not json:
        say("there is no backup: fab backup makes one")
        return
    (show_backups_as_json if json else show_backups)(rows)
    if not all(row.ok for row in rows):
        sys.exit(1)


@task(help={**YES, **WAIT, **JSON})
def prune(context: Any, yes: bool = False, wait: str | None = None, json: bool = False) -> None:
    """Drop the databases that restores have kept, and remove backups beyond backup.keep.

    Examples:
      fab backups.prune
      fab backups.prune --yes    # without asking
    """
    from aerodrome.components.backups import kept_databases
    from aerodrome.core.size import megabytes
    from aerodrome.errors import HostError, InvalidInput
    from aerodrome.report.terminal import say
    from aerodrome.runbooks.backup import database_host
    from aerodrome.runbooks.restore import prune

    with session(context, wait, json) as run:
        host = database_host(run.fleet)
        found = kept_databases(run.fleet, host, run.run.look)
        if failed := [each.detail for each in found if not each.ok]:
            raise HostError(host.name, "backups.prune", failed[0])
        for each in found:
            say(f"{host.name}: would drop database {each.subject} ({megabytes(each.size)})")
        if found and not yes and not confirmed("Drop these databases?"):
            raise InvalidInput("nothing was dropped")
        run.perform(partial(prune, names=[each.subject for each in found]), [])
