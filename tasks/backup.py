"""Backups of the metadata database."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from invoke import task

from tasks.confirm import YES, confirmed
from tasks.session import JSON, WAIT, Session, session


@task(
    help={
        "to": "another directory on the database's host, for this backup only; nothing in it is ever removed",
        "download": "a directory on this machine that gets a copy",
        **WAIT,
        **JSON,
    }
)
def backup(context: Any, to: str = "", download: str = "", wait: str | None = None, json: bool = False) -> None:
    """Back up the metadata database while everything runs, and remove the oldest backups beyond backup.keep.

    A backup is one consistent snapshot, kept on the database's host in backup.directory, readable by root only. It
    holds the stored connections, encrypted, and password hashes. It does not hold the Fernet keys: without them, the
    connections in it cannot be read.

    Examples:
      fab backup
      fab backup --download=copies              # and copy it to this machine
      fab backup --to=/srv/before-the-migration
    """
    from aerodrome.components.backups import version_in_use
    from aerodrome.runbooks.backup import backup, elsewhere

    with session(context, wait, json) as run:
        if to:
            run.fleet = elsewhere(run.fleet, to)
        airflow = version_in_use(run.inputs, run.run.look)
        name = run.recorder.run
        run.perform(partial(backup, name=name, airflow=airflow, prune=not to), [])
        if download:
            copy(run, download, name)


@task(
    positional=["folder"],
    help={
        "folder": "a directory on this machine",
        "backup": "its name as fab backups shows it, or a part of it (default: the newest)",
    },
)
def download(context: Any, folder: str, backup: str = "") -> None:
    """Copy a backup from the database's host to this machine, and compare it with its manifest.

    The copy is a directory with the backup's name, readable by you only. Copied back to backup.directory on the
    database's host, and given to root, it can be drilled and restored.

    Examples:
      fab backups.download copies
      fab backups.download copies --backup=1f3a    # the one with 1f3a in its name
    """
    with session(context) as run:
        copy(run, folder, backup)


def copy(run: Session, folder: str, part: str) -> None:
    """Copy the backup with `part` in its name to a directory on this machine."""
    from pathlib import Path

    from aerodrome.components.backups import backups, sent
    from aerodrome.controller.backup_file import BackupFile
    from aerodrome.controller.files import expand
    from aerodrome.core.size import megabytes
    from aerodrome.errors import reading
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.terminal import say
    from aerodrome.runbooks.backup import backup_host, pick

    host = backup_host(run.fleet)
    found = pick(backups(run.fleet, host, run.run.look), part)
    with BackupFile(Path(expand(folder, "")), found.name, found.bytes, found.sha256) as file:
        say(f"{host.name}: copying backup {found.name} ({megabytes(found.bytes)}) to {file.path}")
        script = sent(run.fleet, found.name)
        with reading(host.name, "backups.download"):
            run_script(run.connections, host, script, on_text=file.take, limit=Limit.stream(), keep=False)
        file.finish()
    say(f"{file.path} is whole")


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
    from aerodrome.runbooks.backup import backup_host

    with session(context) as run:
        rows = backups(run.fleet, backup_host(run.fleet), run.run.look)
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
    from aerodrome.runbooks.backup import backup_host
    from aerodrome.runbooks.restore import prune

    with session(context, wait, json) as run:
        host = backup_host(run.fleet)
        found = kept_databases(run.fleet, host, run.run.look)
        if failed := [each.detail for each in found if not each.ok]:
            raise HostError(host.name, "backups.prune", failed[0])
        for each in found:
            say(f"{host.name}: would drop database {each.subject} ({megabytes(each.size)})")
        if found and not yes and not confirmed("Drop these databases?"):
            raise InvalidInput("nothing was dropped")
        run.perform(partial(prune, names=[each.subject for each in found]), [])
