"""Run on a node, as the service user in the units' environment: run the commands that settings name, as Airflow would.

Their answers are secrets, so they are never shown.
"""

import os
import shlex
import subprocess
import sys


def main(names: "list[str]") -> None:
    """Run the command in each of these variables; stop at the first whose answer Airflow could not use."""
    for name in names:
        problem = asked(name)
        if problem:
            sys.exit(f"{name}: {problem}")


def asked(name: str) -> str:
    """Run the command in a variable; return what is wrong with its answer, or nothing."""
    try:
        command = shlex.split(os.environ[name])
        home = os.environ.get("AIRFLOW_HOME")
        answer = subprocess.check_output(command, cwd=home, stdin=subprocess.DEVNULL, timeout=60)
    except Exception as error:
        return str(error)
    if answer and answer == answer.strip():
        return ""
    # Airflow uses it unchanged.
    return "it prints {}".format("space or a newline around the value" if answer else "nothing")
