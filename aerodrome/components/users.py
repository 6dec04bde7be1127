"""Users of the web UI."""

from __future__ import annotations

from aerodrome.checks.users import CREATED, FOLDER, RESET, UserCreated
from aerodrome.components.command import airflow_command, in_unit_environment
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import Change, quote
from aerodrome.core.runbook import Action
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.secrets import Secret

DONE = "@done"  # ends the output of a command that succeeded
LONGEST = 1 << 20  # limit for a command's output, in bytes


def user_created(
    inputs: Inputs, host: Host, person: tuple[str, str, str, str, str], password: Secret, mark: str
) -> Action:
    """Return the action that creates a user on `host`, or resets its password if it already exists.

    `person` is name, e-mail, first name, last name and Airflow role; `mark` tells this run from others. The password is
    in the payload, and never in argv. Airflow asks for it twice, on stdin if there is no terminal (getpass).
    """
    name, role = person[0], inputs.role_for_commands(host)
    create = airflow_command(inputs, inputs.catalogue.create_user(*person), role)
    check, twice = UserCreated(name, mark), f"{password.reveal()}\n" * 2
    size = len(twice.encode())
    reset = _reset_command(inputs, name, role)
    script = (
        f"{_ask(size, create)}\n"
        f"said={quote(CREATED)}\n"
        f'case $answer in *"already exist"*)\n{_ask(size, reset)}\nsaid={quote(RESET)};;\nesac\n'
        f"rm -f {FOLDER}/user-*\n"
        f"printf '%s\\n' \"$said\" >{quote(check.file)}"
    )
    return Action(check, Change(f"create the user {name}", script, payload=(twice * 2).encode()))


def _ask(size: int, command: str) -> str:
    """Return sh that passes a command the next `size` bytes of the payload, and fails with its output if it fails.

    The command runs the service user's code (plugins), so its output is limited: it must not fill the host's memory.
    None of its lines begins with @, as the lines do that the controller acts on.
    """
    return (
        f"answer=$({{ head -c {size} <&3 | {command} && echo {DONE}; }} 2>&1 | head -c {LONGEST})\n"
        f"case $answer in *{DONE}) ;; *) printf '%s\\n' \"$answer\" | sed 's/^@/ @/'; exit 1;; esac"
    )


def _reset_command(inputs: Inputs, name: str, role: str) -> str:
    if not inputs.catalogue.logins:
        return airflow_command(inputs, ["users", "reset-password", "-u", name], role)
    resets = program("reset_password", module=inputs.catalogue.logins, name=name)
    # Not isolated, because it runs Airflow, but it imports nothing from its working directory.
    return in_unit_environment(inputs, [f"{inputs.venv}/bin/python", "-c", resets], role, folder="/")
