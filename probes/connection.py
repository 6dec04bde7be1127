import os
import re
from typing import Any


def connect(variable: str, public: "list[str]", database: str = "") -> "Any":
    """Connect to the metadata database that `variable` of the environment names, or to another of its server.

    In an error, words of its URL that are not in `public` are masked.
    """
    import psycopg2

    url = os.environ.get(variable)
    if url is None:  # a command on the node prints it: Airflow runs it in the same way
        import shlex
        import subprocess

        command = shlex.split(os.environ[variable + "_CMD"])
        url = subprocess.check_output(command, cwd=os.environ.get("AIRFLOW_HOME")).decode()
    try:
        other = {"dbname": database} if database else {}
        return psycopg2.connect("postgresql://" + url.split("://", 1)[1], connect_timeout=5, **other)
    except psycopg2.Error as error:
        # libpq quotes what it could not parse, and in a URL that is not encoded, that may be part of the password.
        words = str(error)
        for part in re.split("[/:@]", url.rpartition("@")[0]):
            if len(part) > 3 and part not in public:
                words = words.replace(part, "********")
        raise type(error)(words) from None


def bound(cursor: "Any") -> None:
    """Limit how long a statement of this transaction may wait: any task can hold a table lock indefinitely."""
    cursor.execute("SET LOCAL statement_timeout = 5000")
