"""Run on a node, as the service user in the units' environment, but with the login from hosts.yaml."""

import os

from probes.connection import connect
from probes.failure import first_line


def main(url: str, command: str, variable: str, public: "list[str]") -> None:
    """Print `in`, or why the login does not work; change nothing. If `command` is given, it prints the URL."""
    if command:
        os.environ.pop(variable, None)
        os.environ[variable + "_CMD"] = command
    else:
        os.environ[variable] = url
    try:
        connection = connect(variable, public)
        cursor = connection.cursor()
        cursor.execute("SELECT has_schema_privilege(current_user, 'public', 'CREATE')")
        print("in" if cursor.fetchone()[0] else "the login may not create tables in the schema public")
        connection.close()
    except ImportError:
        pass  # an environment made by hand, or an incomplete one: the login cannot be tested yet
    except Exception as error:
        print(first_line(error))
