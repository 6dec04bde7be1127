"""Backups of the metadata database: where they are, what is written about them, and who can read what is in them."""

from __future__ import annotations

import base64
import hashlib
import hmac

from aerodrome.catalogue.version import FERNET_KEY
from aerodrome.checks.backups import Backup, HeldBackups, KeptDatabase, KeptDatabases
from aerodrome.components.command import connection, python_program
from aerodrome.components.inputs import Inputs
from aerodrome.components.releases import ENVIRONMENT, held
from aerodrome.core.check import Look
from aerodrome.core.resource import quote
from aerodrome.core.step import Step
from aerodrome.fleet.model import Fleet, Host
from aerodrome.program import program
from aerodrome.resources.backup import (
    DUMP,
    HEAD,
    HEADS,
    MANIFEST,
    OPTIONS,
    TABLES,
    About,
    MadeBackup,
    Place,
    PrunedBackups,
)
from aerodrome.resources.scratch import SCRATCH, Decrypted, Restored

SHOWN = 10  # values that cannot be read, by name
TABLE, ALL = 60, 300  # seconds to read one table of encrypted values, and all of them


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
    """Return the version of Airflow in use, by the environment of the first scheduler's host; empty if unknown."""
    found = held(inputs, [secrets_host(inputs.fleet)], look, ENVIRONMENT)
    return next((each.name.partition("-py")[0] for each in found if each.ok and each.state == "in use"), "")


def kept_databases(fleet: Fleet, host: Host, look: Look) -> list[KeptDatabase]:
    """Return the databases that restores have kept; one that is failed if the host cannot be asked."""
    if not fleet.database.managed:
        return []
    found = look({host.name: [KeptDatabases(fleet.database.name)]})[host.name]
    return [each if isinstance(each, KeptDatabase) else KeptDatabase("", "failed", each.detail) for each in found]


def sent(fleet: Fleet, name: str) -> str:
    """Return sh that prints the manifest of a backup on one line, and then its dump."""
    manifest, dump = (quote(place(fleet).path(name, file)) for file in (MANIFEST, DUMP))
    return f"head -n 1 {manifest} && exec cat {dump}"


def backed_up(inputs: Inputs, name: str, airflow: str, prune: bool = True) -> Step:
    """Return the resources that back up the metadata database, and then remove old backups."""
    about = About(airflow, fingerprints(inputs), broker(inputs))
    made = MadeBackup(place(inputs.fleet), name, inputs.fleet.database.name, about, _dump(inputs))
    return Step("backup", (made, kept(inputs)) if prune else (made,))


def _dump(inputs: Inputs) -> str:
    """Return sh that dumps a database managed elsewhere; empty if its own host does."""
    if inputs.fleet.database.managed:
        return ""
    role = inputs.role_for_commands(secrets_host(inputs.fleet))
    dump = program("dump", heads=HEADS, tables=TABLES, options=OPTIONS, head=HEAD, **connection(inputs))
    return python_program(inputs, dump, role) + "\n"


def kept(inputs: Inputs) -> PrunedBackups:
    """Return the resource that removes surplus backups."""
    return PrunedBackups(place(inputs.fleet), inputs.fleet.backup.keep)


def fingerprints(inputs: Inputs) -> tuple[str, ...]:
    """Return a fingerprint of each Fernet key. It reveals nothing of the key, which is 256 random bits."""
    keys = inputs.fernet_key.reveal().split(",") if inputs.fernet_key else []
    return tuple(_fingerprint(key) for key in keys)


def _fingerprint(key: str) -> str:
    plain = base64.b64decode(key.replace("-", "+").replace("_", "/"))
    return hmac.digest(b"aerodrome: fingerprint of a Fernet key", plain, hashlib.sha256).hex()[:16]


def broker(inputs: Inputs) -> str:
    """Name the place of Celery's messages: those in the metadata database are in its backups too."""
    if inputs.fleet.airflow.executor != "CeleryExecutor":
        return "none"
    if not inputs.broker_is_postgres:
        return "elsewhere"
    return f"database {inputs.celery_database}" if inputs.celery_has_database else "this database"


def secrets_host(fleet: Fleet) -> Host:
    """Return the node that knows the Fernet keys and the login of the metadata database in every version."""
    return fleet.with_role("scheduler")[0]


def copied(inputs: Inputs, backup: Backup, run: str, settle: bool = False) -> Step:
    """Return the resource that restores a backup into the scratch database and compares it with its manifest."""
    database = inputs.fleet.database
    copy = Restored(
        place(inputs.fleet),
        backup.name,
        backup.sha256,
        backup.size,
        tuple(backup.facts()),
        database.name,
        database.user,
        database.port,
        run,
        settle,
    )
    return Step("restore.copy", (copy,))


def decrypted(inputs: Inputs, run: str) -> Step:
    """Return the resource that decrypts every secret in the scratch database, on a node that has the keys."""
    role = inputs.role_for_commands(secrets_host(inputs.fleet))
    keys = inputs.catalogue.variable(*FERNET_KEY)
    reads = program("decrypts", database=SCRATCH, keys=keys, shown=SHOWN, seconds=TABLE, **connection(inputs))
    return Step("restore.secrets", (Decrypted(run, python_program(inputs, reads, role, ALL)),))
