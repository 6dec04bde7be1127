"""Runs on a node, as the service user, in the units' environment: runs commands as Airflow does; shows no answer."""

import os
import shlex
import subprocess
import sys


def main(names: "list[str]") -> None:
    """Run the command that each of these variables names; stop at the first whose answer Airflow could not use."""
    for name in names:
        problem = asked(name)
        if problem:
            sys.exit(f"{name}: {problem}")


def asked(name: str) -> str:
    """Run the command of a variable; return what is wrong with its answer, or nothing."""
    try:
        command = shlex.split(os.environ[name])
        home = os.environ.get("AIRFLOW_HOME")
        answer = subprocess.check_output(command, cwd=home, stdin=subprocess.DEVNULL, timeout=60)
    except Exception as error:
        return str(error)
    if answer and answer == answer.strip():
        return ""
    # Airflow takes it as it is.
    return "it prints {}".format("space or a newline around the value" if answer else "nothing")
