"""Logins of the web server."""

from __future__ import annotations

from aerodrome.blueprint.airflow import airflow_command, in_unit_environment
from aerodrome.blueprint.inputs import Inputs
from aerodrome.fleet import Host
from aerodrome.secrets import Secret

# Gives a login a new password, read from stdin. Flask-AppBuilder only logs what goes wrong: look whether it is so.
RESET = """\
import sys
from werkzeug.security import check_password_hash
LOGINS
name, password = sys.argv[1], sys.stdin.buffer.readline().decode("utf-8")[:-1]
logins.reset_password(logins.find_user(username=name).id, password)
sys.exit(not check_password_hash(logins.find_user(username=name).password, password))"""


def create_user_script(
    inputs: Inputs, host: Host, person: tuple[str, str, str, str, str], password: Secret
) -> tuple[str, bytes]:
    """Return sh that makes a login on `host`, and the payload that it reads: the password is never in argv.

    `person` is name, e-mail, first name, last name and Airflow role. Airflow asks for the password twice, on
    stdin where there is no terminal (getpass). A login that is there already is given the password anew.
    """
    name, role = person[0], inputs.role_for_commands(host)
    create = airflow_command(inputs, inputs.catalogue.create_user(*person), role)
    twice = f"{password.reveal()}\n" * 2
    size = len(twice.encode())
    reset = _reset_command(inputs, name, role)
    script = (
        f"answer=$(head -c {size} <&3 | {create} 2>&1) || {{ printf '%s\\n' \"$answer\"; exit 1; }}\n"
        'case $answer in *"already exist"*) ;; *) echo made; exit 0;; esac\n'
        f"answer=$(head -c {size} <&3 | {reset} 2>&1) || {{ printf '%s\\n' \"$answer\"; exit 1; }}\n"
        "echo 'was there, and has this password now'\n"
    )
    return script, (twice * 2).encode()


def _reset_command(inputs: Inputs, name: str, role: str) -> str:
    if not inputs.catalogue.logins:
        return airflow_command(inputs, ["users", "reset-password", "-u", name], role)
    program = RESET.replace("LOGINS", inputs.catalogue.logins)
    # Not isolated, for it is Airflow that it runs; but nothing is imported from where it runs.
    return in_unit_environment(inputs, [f"{inputs.venv}/bin/python", "-c", program, name], role, folder="/")
