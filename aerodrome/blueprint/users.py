"""Logins of the web server."""

from __future__ import annotations

from aerodrome.blueprint.airflow import airflow_command
from aerodrome.blueprint.inputs import Inputs
from aerodrome.secrets import Secret


def create_user_script(inputs: Inputs, person: tuple[str, str, str, str, str], password: Secret) -> tuple[str, bytes]:
    """Return sh that makes a login, and the payload that it reads: the password is never in argv.

    `person` is name, e-mail, first name, last name and Airflow role. Airflow asks for the password twice, on
    stdin where there is no terminal (getpass). A login that is there already is given the password anew.
    """
    name, *_ = person
    create = airflow_command(inputs, inputs.catalogue.create_user(*person))
    twice = f"{password.reveal()}\n" * 2
    size = len(twice.encode())
    reset = airflow_command(inputs, ["users", "reset-password", "-u", name])
    script = (
        f"answer=$(head -c {size} <&3 | {create} 2>&1) || {{ printf '%s\\n' \"$answer\"; exit 1; }}\n"
        'case $answer in *"already exist"*) ;; *) echo made; exit 0;; esac\n'
        f"answer=$(head -c {size} <&3 | {reset} 2>&1) || {{ printf '%s\\n' \"$answer\"; exit 1; }}\n"
        "echo 'was there, and has this password now'\n"
    )
    return script, (twice * 2).encode()
