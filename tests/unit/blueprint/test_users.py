"""Logins of the web server: the script, run with a stand-in for Airflow."""

from __future__ import annotations

import pytest

from aerodrome.blueprint.users import create_user_script
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, Shell, inputs

PERSON = ("ada", "a@b", "Ada", "L", "Admin")

# Reads the password twice, as getpass does without a terminal, and knows `there`.
AIRFLOW = """\
case "$*" in *"users create"*) kind=create;; *"users reset-password"*) kind=reset;; esac
read -r first; read -r second
[ "$first" = "$second" ] || { echo "Passwords did not match"; exit 1; }
printf '%s|%s\\n' "$kind" "$first" >>LOG
case ${kind}THERE in createyes) echo "ada already exist in the db";; esac
"""


def run(sh: Shell, folder: object, there: str, password: str = AWKWARD):  # type: ignore[no-untyped-def]
    script, payload = create_user_script(inputs(), PERSON, Secret(password))
    programs = {"systemd-run": AIRFLOW.replace("LOG", f"'{folder}/log'").replace("THERE", there)}
    done = sh(f"set -u\n{script}", payload, programs)
    return done, sh(f"cat '{folder}/log'").stdout.decode()


def test_a_new_login(sh: Shell, tmp_path: object) -> None:
    done, log = run(sh, tmp_path, "no")
    assert (done.returncode, done.stdout, log) == (0, b"made\n", f"create|{AWKWARD}\n")


def test_a_login_that_is_there_gets_this_password(sh: Shell, tmp_path: object) -> None:
    done, log = run(sh, tmp_path, "yes")
    assert (done.returncode, done.stdout) == (0, b"was there, and has this password now\n")
    assert log == f"create|{AWKWARD}\nreset|{AWKWARD}\n"


def test_what_airflow_says_against_it_comes_back(sh: Shell) -> None:
    script, payload = create_user_script(inputs(), PERSON, Secret("x"))
    done = sh(script, payload, {"systemd-run": "echo 'Admin is not a valid role'; exit 1"})
    assert (done.returncode, done.stdout) == (1, b"Admin is not a valid role\n")


@pytest.mark.parametrize("password", [AWKWARD, "plain-password"])
def test_the_password_is_in_no_script(password: str) -> None:
    script, payload = create_user_script(inputs(), PERSON, Secret(password))
    assert password not in script
    assert payload == f"{password}\n".encode() * 4
