"""Airflow's own commands, on the first scheduler."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any, Literal

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
    from aerodrome.components.command import airflow_command, wants_json
    from aerodrome.errors import InvalidInput

    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise InvalidInput(f"the command has unbalanced quotes: {error}") from None
    with session(context) as run:
        target = _host(run)
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


@task(
    help={
        "name": "login name",
        "role": "Airflow role: Admin, Op, User, Viewer, Public",
        "email": "default: NAME@localhost",
        "first_name": "default: NAME",
        "last_name": "default: NAME",
        "password": "its source: '!env NAME', '!file PATH' or '!command …' (default: prompt twice)",
    }
)
def create_user(
    context: Any,
    name: str = "admin",
    role: str = "Admin",
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    password: str | None = None,
) -> None:
    """Create a web UI user, or reset the password of an existing one.

    You are prompted for the password twice, unless --password names its source. It never appears in an argument list.

    Examples:
      fab create-user                                                       # an administrator named admin
      fab create-user --name=ada --role=Viewer --email=ada@example.com
      fab create-user --name=ci --role=User --password='!env CI_PASSWORD'
    """
    from aerodrome.components.users import create_user_script
    from aerodrome.controller.references import resolve
    from aerodrome.engine.words import last_words
    from aerodrome.errors import HostError
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.terminal import redactor, say
    from aerodrome.secrets import Secret

    reference = _reference(password)
    with session(context) as run:
        secret = redactor.know(Secret(resolve(reference)))
        host = _host(run)
        person = (name, email or f"{name}@localhost", first_name or name, last_name or name, role)
        script, payload = create_user_script(run.inputs, host, person, secret)
        output = run_script(run.connections, host, script, payload, limit=Limit.command(run.fleet.deploy))
        if output.status:
            words = last_words(output.text + output.errors)
            raise HostError(host.name, "create-user", f"could not create the user {name}", "", words)
        say(f"user {name}: {output.text.strip().splitlines()[-1]}; log in at {run.inputs.web_url}")


# Tags, as in hosts.yaml, for the source of a password.
KINDS: dict[str, Literal["env", "file", "command"]] = {"!env": "env", "!file": "file", "!command": "command"}


def _host(run: Session) -> Host:
    """Return the first scheduler, or the host that -H names."""
    return run.fleet.with_role("scheduler")[0] if len(run.hosts) != 1 else run.hosts[0]


def _reference(text: str | None) -> Any:
    from aerodrome.errors import InvalidInput
    from aerodrome.secrets import Reference

    if text is None:
        return Reference("prompt", "Password of the user", "create-user")
    tag, _, argument = text.partition(" ")
    if tag not in KINDS or not argument:
        raise InvalidInput(
            "--password: a literal password would be visible in the process list",
            "name its source: --password='!env NAME' (or '!file PATH', '!command …')",
        )
    if len(argument) > 1 and argument[0] == argument[-1] == '"':
        argument = argument[1:-1]
    return Reference(KINDS[tag], argument, "--password", "")
