"""Users of the web UI."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from invoke import task

from tasks.session import JSON, WAIT, session

# Tags, as in hosts.yaml, for the source of a password.
KINDS: dict[str, Literal["env", "file", "command"]] = {"!env": "env", "!file": "file", "!command": "command"}


@task(
    help={
        "name": "login name",
        "role": "Airflow role: Admin, Op, User, Viewer, Public",
        "email": "default: NAME@localhost",
        "first_name": "default: NAME",
        "last_name": "default: NAME",
        "password": "its source: '!env NAME', '!file PATH' or '!command …' (default: prompt twice)",
        **WAIT,
        **JSON,
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
    wait: str | None = None,
    json: bool = False,
) -> None:
    """Create a web UI user, or reset the password of an existing one.

    You are prompted for the password twice, unless --password names its source. It never appears in an argument list.

    Examples:
      fab create-user                                                       # an administrator named admin
      fab create-user --name=ada --role=Viewer --email=ada@example.com
      fab create-user --name=ci --role=User --password='!env CI_PASSWORD'
    """
    from secrets import token_hex

    from aerodrome.checks.users import UserCreated
    from aerodrome.components.command import command_host
    from aerodrome.runbooks.users import create_user

    with session(context, wait, json) as run:
        secret, mark = _secret(password), token_hex(8)
        person = (name, email or f"{name}@localhost", first_name or name, last_name or name, role)
        run.perform(partial(create_user, person=person, password=secret, mark=mark), [])
        # It is done: ask once more which of the two it was.
        (done,) = run.run.judge(command_host(run.fleet, run.names), UserCreated(name, mark))
        run.tell(f"user {name}: {done.detail}; log in at {run.inputs.web_url}")


def _secret(password: str | None) -> Any:
    """Look up the password, and mask it in all output from then on."""
    from aerodrome.controller.references import resolve
    from aerodrome.report.sink import redactor
    from aerodrome.secrets import Secret

    return redactor.know(Secret(resolve(_reference(password))))


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
