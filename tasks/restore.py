"""Restore a backup of the metadata database, or prove that it can be restored."""

from __future__ import annotations

from functools import partial
from typing import Any

from invoke import task

from tasks.confirm import YES, confirmed
from tasks.session import JSON, WAIT, Session, session


@task(help={"backup": "its name as fab backups shows it, or a part of it (default: the newest)", **WAIT, **JSON})
def drill(context: Any, backup: str = "", wait: str | None = None, json: bool = False) -> None:
    """Prove that a backup can be restored: restore it beside the real database, check it, and drop it again.

    Checked are the dump's SHA-256, Airflow's revisions and numbers of rows as the manifest has them, and that every
    encrypted connection and variable can be read with the Fernet keys in use. Services never notice. fab backups shows
    how the last drill of each backup ended.

    Examples:
      fab drill
      fab drill --backup=1f3a    # the one with 1f3a in its name
    """
    from aerodrome.components.backups import backups
    from aerodrome.runbooks.backup import database_host, pick
    from aerodrome.runbooks.restore import drill

    with session(context, wait, json) as run:
        whole_fleet(run)
        found = pick(backups(run.fleet, database_host(run.fleet), run.run.look), backup)
        run.perform(partial(drill, backup=found, run=run.recorder.run), [])


@task(
    positional=["backup"], help={"backup": "its name as fab backups shows it, or a part of it", **YES, **WAIT, **JSON}
)
def restore(context: Any, backup: str, yes: bool = False, wait: str | None = None, json: bool = False) -> None:
    """Replace the metadata database with a backup; the old one is kept under another name.

    First the backup is restored beside the real database and checked as by fab drill, while everything runs. Then
    services stop, the databases exchange their names, and services start. If anything fails on the way, the database
    of before is used again and services start with it. fab backups.prune drops databases that were kept.

    Examples:
      fab restore 20261201T005031Z-1f3a
      fab restore 1f3a --yes    # without asking
    """
    from aerodrome.components.backups import backups, version_in_use
    from aerodrome.errors import InvalidInput
    from aerodrome.report.backups import restore_plan
    from aerodrome.report.terminal import say
    from aerodrome.runbooks.backup import database_host, pick
    from aerodrome.runbooks.restore import check_version, kept_name, restore

    with session(context, wait, json) as run:
        whole_fleet(run)
        found = pick(backups(run.fleet, database_host(run.fleet), run.run.look), backup)
        check_version(found, version_in_use(run.inputs, run.run.look))
        say(restore_plan(run.inputs, found, kept_name(run.fleet.database.name, run.recorder.run)))
        if not yes and not confirmed("Restore this backup?"):
            raise InvalidInput("nothing was restored")
        run.perform(partial(restore, backup=found, run=run.recorder.run), [])


def whole_fleet(run: Session) -> None:
    """Refuse -H: what a backup needs is on several hosts."""
    from aerodrome.errors import InvalidInput

    if len(run.hosts) < len(run.fleet.hosts):
        raise InvalidInput("this works with the whole fleet", "run it without -H")
