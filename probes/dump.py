"""Dump a metadata database that is managed elsewhere: on a node, as the service user, in the units' environment."""

import os
import re
import shutil
import subprocess
import sys
from typing import Any

from probes.connection import connect
from probes.failure import first_line

# Of what libpq knows of a connection; psycopg2's own is newer than pg_dump's, and names what that one refuses.
KNOWN = ("host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl")


def main(variable: str, public: "list[str]", heads: "list[str]", tables: "list[str]", options: str, head: int) -> None:
    """Print facts, `head` bytes long with the spaces at its end, and then the dump, all of one snapshot."""
    try:
        connection = connect(variable, public)
        program = client(connection.server_version)
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor = connection.cursor()
        cursor.execute("SELECT pg_export_snapshot()")
        snapshot = cursor.fetchone()[0]
        text = "\n".join(facts(cursor, heads, tables)) + "\n"
    except Exception as error:
        print("error|" + first_line(error).replace("|", " ")[: head - 10])
        sys.exit(1)
    sys.stdout.write(text.ljust(head)[:head])
    sys.stdout.flush()
    known = connection.get_dsn_parameters()
    command = [program, "-Fc", "--snapshot", snapshot, "--lock-wait-timeout=300000", "-d", dsn(known)]
    given = dict(os.environ, PGPASSWORD=connection.info.password or "", PGOPTIONS=options)
    sys.exit(subprocess.call(command, env=given, stdin=subprocess.DEVNULL))


def client(server: int) -> str:
    """Return the path of a pg_dump that is not older than the server, whose version is as libpq has it (150020)."""
    program = shutil.which("pg_dump", path=os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin")
    need = "install postgresql-client-{0} (Debian) or postgresql{0} (RHEL), of the PGDG".format(server // 10000)
    if program is None:
        raise ValueError("there is no pg_dump on this host: " + need)
    said = subprocess.check_output([program, "--version"], stdin=subprocess.DEVNULL).decode()
    version = re.search(r"(\d+)\.\d+|(\d+)\S*$", said.strip())
    if version is None or int(version.group(1) or version.group(2)) < server // 10000:
        known = said.strip().rpartition(") ")[2][:40]
        raise ValueError(f"pg_dump {known} is older than the server, {server // 10000}: {need}")
    return program


def facts(cursor: "Any", heads: "list[str]", tables: "list[str]") -> "list[str]":
    """Return lines as psql prints them on a database's own host: version, size, revisions, and numbers of rows."""
    cursor.execute("SELECT split_part(current_setting('server_version'), ' ', 1), pg_database_size(current_database())")
    server, size = cursor.fetchone()
    lines = [f"server|{server}", f"size|{size}"]
    for table in heads:
        if there(cursor, table):
            cursor.execute(f"SELECT version_num FROM public.{table} ORDER BY 1 LIMIT 20")
            lines += ["{}|{}".format(table, re.sub("[^A-Za-z0-9_.-]", "", row[0])[:64]) for row in cursor]
    for table in tables:
        if there(cursor, table):
            cursor.execute(f"SELECT count(*) FROM public.{table}")
            lines.append(f"rows|{table}|{cursor.fetchone()[0]}")
    return lines


def there(cursor: "Any", table: str) -> bool:
    """Tell whether a plain table of that name is there; names are ours."""
    cursor.execute(
        "SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname = %s",
        (table,),
    )
    return cursor.fetchone() is not None


def dsn(known: "dict[str, str]") -> str:
    """Return how to reach the database, without the password (libpq, Connection Strings)."""
    given = {name: known[name] for name in KNOWN if known.get(name)}
    quoted = {name: re.sub(r"([\\'])", r"\\\1", value) for name, value in given.items()}
    return " ".join(f"{name}='{value}'" for name, value in quoted.items())
