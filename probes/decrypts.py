"""Decrypt every secret in a copy of the database: on a node, as the service user, in the units' environment."""

import json
import os
import shlex
import subprocess
from typing import Any

from probes.connection import connect
from probes.failure import first_line

# What Airflow encrypts, in all versions: the name of the row, the value, and whether it is encrypted.
ENCRYPTED = (
    ("connection", "conn_id", "password", "is_encrypted"),
    ("connection", "conn_id", "extra", "is_extra_encrypted"),
    ("variable", "key", "val", "is_encrypted"),
)


def main(variable: str, public: "list[str]", database: str, keys: str, shown: int, seconds: int) -> None:
    """Print `ok` and how many values could be decrypted, or in one line which ones could not; change nothing."""
    try:
        cursor = connect(variable, public, database).cursor()
        cursor.execute("SET statement_timeout = %s", (seconds * 1000,))
        number, failed = decrypt(cursor, fernet(keys))
        if failed:
            names = ", ".join(failed[:shown]) + (", ..." if len(failed) > shown else "")
            print(f"{len(failed)} of {number + len(failed)} encrypted values cannot be read: {names}")
        else:
            print("ok", number)
    except Exception as error:
        print(first_line(error))


def fernet(keys: str) -> "Any":
    """Return a cipher of all keys that the variable `keys` holds, or a command prints."""
    from cryptography.fernet import Fernet, MultiFernet

    text = os.environ.get(keys)
    if text is None:
        command = shlex.split(os.environ[keys + "_CMD"])
        text = subprocess.check_output(command, cwd=os.environ.get("AIRFLOW_HOME")).decode()
    return MultiFernet([Fernet(key.strip().encode()) for key in text.split(",")])


def decrypt(cursor: "Any", keys: "Any") -> "tuple[int, list[str]]":
    """Return how many values could be decrypted, and which could not."""
    number = 0
    failed: list[str] = []
    for table, name, value, encrypted in ENCRYPTED:
        # Names are ours; a table may be missing in a database that was never migrated.
        cursor.execute("SELECT to_regclass(%s)", ("public." + table,))
        if cursor.fetchone()[0] is None:
            continue
        cursor.execute(f"SELECT {name}, {value} FROM public.{table} WHERE {encrypted} AND {value} <> ''")
        for row in cursor:
            try:
                keys.decrypt(row[1].encode())
                number += 1
            except Exception:
                failed.append(f"{table} {json.dumps(row[0])} ({value})")
    return number, failed
