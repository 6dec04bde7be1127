"""Users of the web UI."""

from __future__ import annotations

from aerodrome.components.command import airflow_command, in_unit_environment
from aerodrome.components.inputs import Inputs
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.secrets import Secret

DONE = "@done"  # ends the output of a command that succeeded
LONGEST = 1 << 20  # limit for a command's output, in bytes


def create_user_script(
    inputs: Inputs, host: Host, person: tuple[str, str, str, str, str], password: Secret
) -> tuple[str, bytes]:
    """Return sh that creates a user on `host`, and its payload for stdin: the password is never in argv.

    `person` is name, e-mail, first name, last name and Airflow role. Airflow asks for the password twice, on stdin if
    there is no terminal (getpass). If the user already exists, its password is reset.
    """
    name, role = person[0], inputs.role_for_commands(host)
    create = airflow_command(inputs, inputs.catalogue.create_user(*person), role)
    twice = f"{password.reveal()}\n" * 2
    size = len(twice.encode())
    reset = _reset_command(inputs, name, role)
    script = (
        f"{_ask(size, create)}\n"
        'case $answer in *"already exist"*) ;; *) echo created; exit 0;; esac\n'
        f"{_ask(size, reset)}\n"
        "echo 'already existed, password reset'\n"
    )
    return script, (twice * 2).encode()


def _ask(size: int, command: str) -> str:
    """Return sh that passes a command the next `size` bytes of the payload, and fails with its output if it fails.

    The command runs the service user's code (plugins), so its output is limited: it must not fill the host's memory.
    """
    return (
        f"answer=$({{ head -c {size} <&3 | {command} && echo {DONE}; }} 2>&1 | head -c {LONGEST})\n"
        f"case $answer in *{DONE}) ;; *) printf '%s\\n' \"$answer\"; exit 1;; esac"
    )


def _reset_command(inputs: Inputs, name: str, role: str) -> str:
    if not inputs.catalogue.logins:
        return airflow_command(inputs, ["users", "reset-password", "-u", name], role)
    resets = program("reset_password", module=inputs.catalogue.logins, name=name)
    # Not isolated, because it runs Airflow, but it imports nothing from its working directory.
    return in_unit_environment(inputs, [f"{inputs.venv}/bin/python", "-c", resets], role, folder="/")
