"""Back up the metadata database."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from aerodrome.checks.backups import Backup
from aerodrome.components.backups import backed_up, secrets_host
from aerodrome.components.inputs import Inputs
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.errors import InvalidInput
from aerodrome.fleet.keys import PLAIN_PATH
from aerodrome.fleet.model import Fleet, Host
from aerodrome.fleet.reserved import backup_problem


def database_host(fleet: Fleet) -> Host:
    """Return the host of the metadata database; InvalidInput if it is managed elsewhere."""
    if not fleet.database.managed:
        raise InvalidInput(
            f"{fleet.source}: database.managed is false, so whoever manages the database has to restore it",
            "fab backups.download brings a backup here: docs/backup.md says how pg_restore takes it",
        )
    return fleet.with_role("database")[0]


def backup_host(fleet: Fleet) -> Host:
    """Return the host that keeps the backups: the database's, or else the first scheduler's."""
    return database_host(fleet) if fleet.database.managed else secrets_host(fleet)


def elsewhere(fleet: Fleet, folder: str) -> Fleet:
    """Return the fleet with another directory for backups; InvalidInput if none can be kept there."""
    problem = backup_problem(folder) if re.fullmatch(PLAIN_PATH, folder) else "not an absolute, plain path"
    if problem:
        raise InvalidInput(f"--to: {folder[:200]}: {problem}", "use a directory of its own, such as /srv/backups")
    return replace(fleet, backup=replace(fleet.backup, directory=folder))


def backup(
    inputs: Inputs,
    hosts: Collection[str],
    roles: Collection[str],
    name: str = "",
    airflow: str = "",
    prune: bool = True,
) -> Runbook:
    """Back up the metadata database under this name; `airflow` is the version that uses it.

    With `prune`, backups beyond those that are kept are removed afterwards.
    """
    host = backup_host(inputs.fleet)
    steps = {host.name: [backed_up(inputs, name, airflow, prune)]}
    return Runbook("backup", tuple(only([Stage("backup", steps, {})], hosts)))


def pick(rows: Sequence[Backup], part: str = "") -> Backup:
    """Return the backup with `part` in its name, or the newest that can be used.

    Raises InvalidInput if there is none, more than one, or one that cannot be used.
    """
    found = [row for row in rows if row.name and part in row.name] if part else [row for row in rows if row.ok][:1]
    if len(found) == 1 and found[0].ok:
        return found[0]
    hint = "see what there is: fab backups"
    if len(found) == 1:
        raise InvalidInput(f"backup {found[0].name} cannot be used: {found[0].detail}", hint)
    if found:
        raise InvalidInput(f"{part} may be {', '.join(row.name for row in found)}", "give more of the name")
    if why := [row.detail for row in rows if not row.ok and not row.name]:
        raise InvalidInput(f"the backups cannot be read: {why[0]}")
    raise InvalidInput(
        f"there is no backup called {part[:40]}" if part else "there is no backup that can be used", hint
    )
