"""Run on a node, as the service user in the units' environment, with the Python of the environment in use."""

import glob
import os
import re
import sysconfig
from typing import Any

from probes.connection import bound, connect
from probes.failure import first_line
from probes.found_connection import found_connection


def main(empty: str, here: str, elsewhere: str, unknown: str, variable: str, public: "list[str]") -> None:
    """Print the state of the metadata database, or what went wrong.

    The state is `empty` if it was never migrated, `here` at the revision of this environment's Airflow, `elsewhere` at
    another revision, or `unknown` if this host has no connection to the database.
    """
    try:
        if not found_connection(variable):
            print(unknown)
            return
        found = revisions(connect(variable, public).cursor())
        own = heads(os.path.join(sysconfig.get_path("purelib"), "airflow", "migrations", "versions"))
        # If its own revision cannot be determined, assume `here`, which is the safe answer.
        print((here if found <= own or not own else elsewhere) if found else empty)
    except Exception as error:
        print(first_line(error))


def heads(folder: str) -> "set[str]":
    """Return the head revisions among Alembic's files in a folder: those that no other revision follows."""
    made: set[str] = set()
    followed: set[str] = set()
    for path in glob.glob(os.path.join(folder, "*.py")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        made.update(re.findall(r"^revision\s*(?::[^=\n]+)?=\s*[\"']([^\"']+)", text, re.MULTILINE))
        for line in re.findall(r"^down_revision\s*(?::[^=\n]+)?=\s*(.+)", text, re.MULTILINE):
            followed.update(re.findall(r"[\"']([^\"']+)[\"']", line))
    return made - followed


def revisions(cursor: "Any") -> "set[str]":
    """Return the revisions that the database is at."""
    bound(cursor)
    cursor.execute("SELECT to_regclass('alembic_version')")
    if cursor.fetchone()[0] is None:
        return set()
    cursor.execute("SELECT version_num FROM alembic_version")
    return {row[0] for row in cursor.fetchall()}
