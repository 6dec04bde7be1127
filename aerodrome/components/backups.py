"""Backups of the metadata database: where they are, what is written about them, and who can read what is in them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence

from aerodrome.checks.backups import Backup, HeldBackups
from aerodrome.components.inputs import Inputs
from aerodrome.components.releases import ENVIRONMENT, held
from aerodrome.core.check import Finding, Watch
from aerodrome.core.step import Step
from aerodrome.fleet.model import Fleet, Host
from aerodrome.resources.backup import About, MadeBackup, Place, PrunedBackups

# Asks each host, by name, its checks, and returns what each has found.
Look = Callable[[Mapping[str, Sequence[Watch]]], Mapping[str, Sequence[Finding]]]


def place(fleet: Fleet) -> Place:
    """Return where the backups are on the database's host."""
    return Place(fleet.backup.directory)


def backups(fleet: Fleet, host: Host, look: Look) -> list[Backup]:
    """Return the backups on the database's host, the newest first; one that is failed if it cannot be asked."""
    found = look({host.name: [HeldBackups(host.name, place(fleet))]})[host.name]
    return [
        each if isinstance(each, Backup) else Backup(each.subject, "failed", each.detail, host=host.name)
        for each in found
    ]


def version_in_use(inputs: Inputs, look: Look) -> str:
    """Return the version of Airflow that the first scheduler's host runs, by its environment; empty if unknown."""
    found = held(inputs, inputs.fleet.with_role("scheduler")[:1], look, ENVIRONMENT)
    return next((each.name.partition("-py")[0] for each in found if each.ok and each.state == "in use"), "")


def backed_up(inputs: Inputs, name: str, airflow: str) -> Step:
    """Return what makes a backup of the metadata database, and removes old ones once it is there."""
    about = About(airflow, fingerprints(inputs), broker(inputs))
    made = MadeBackup(place(inputs.fleet), name, inputs.fleet.database.name, about)
    return Step("backup", (made, kept(inputs)))


def kept(inputs: Inputs) -> PrunedBackups:
    """Return what removes the backups beyond those that are kept."""
    return PrunedBackups(place(inputs.fleet), inputs.fleet.backup.keep)


def fingerprints(inputs: Inputs) -> tuple[str, ...]:
    """Return what tells Fernet keys apart, and gives nothing of them away: they are 256 random bits each."""
    keys = inputs.fernet_key.reveal().split(",") if inputs.fernet_key else []
    return tuple(_fingerprint(key) for key in keys)


def _fingerprint(key: str) -> str:
    plain = base64.b64decode(key.replace("-", "+").replace("_", "/"))
    return hmac.digest(b"aerodrome: fingerprint of a Fernet key", plain, hashlib.sha256).hex()[:16]


def broker(inputs: Inputs) -> str:
    """Say where Celery's messages are: those in the metadata database are in its backups too."""
    if inputs.fleet.airflow.executor != "CeleryExecutor":
        return "none"
    if not inputs.broker_is_postgres:
        return "elsewhere"
    return f"database {inputs.celery_database}" if inputs.celery_has_database else "this database"
