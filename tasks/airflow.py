"""Airflow's own commands, on the first scheduler."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import Session, session

if TYPE_CHECKING:
    from aerodrome.fleet.model import Host


@task(positional=["command"], help={"command": 'the arguments of “airflow”: "dags list"'})
def airflow(context: Any, command: str) -> None:
    """Run an Airflow command on the first scheduler's host (or that of -H), as the service user and with its settings.

    The command gets exactly the environment that the units have. With `-o json`, stdout holds the JSON document and
    nothing else; Airflow's log messages go to stderr.

    Examples:
      fab airflow "dags list"
      fab airflow "dags list -o json"                   # for a program: fab airflow … | jq
      fab airflow "tasks test hello_fleet say_hello"    # run one task, without a worker
    """
    from aerodrome.components.command import airflow_command, command_host, wants_json
    from aerodrome.errors import InvalidInput

    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise InvalidInput(f"the command has unbalanced quotes: {error}") from None
    with session(context) as run:
        target = command_host(run.fleet, run.names)
        script = airflow_command(run.inputs, arguments, run.inputs.role_for_commands(target))
        status = _run(run, target, script, alone=wants_json(arguments))
    if status:
        sys.exit(status)


def _run(run: Session, target: Host, script: str, alone: bool) -> int:
    """Run a command on a host and return its exit code; a JSON document `alone` on stdout is buffered until its end."""
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.output import JsonAlone, Through, waiting_for
    from aerodrome.report.terminal import say

    def one(host: Host) -> int:
        printer, errors = JsonAlone() if alone else Through(), Through(say)
        output = run_script(
            run.connections,
            host,
            script,
            on_text=printer.read,
            on_errors=errors.read,
            limit=Limit(None, run.fleet.deploy.output_limit) if alone else Limit.stream(),
            keep=False,
        )
        printer.close()
        errors.close()
        printer.check()
        return output.status

    (status,) = each([target], one, 1, waiting_for("airflow")).values()
    return status
