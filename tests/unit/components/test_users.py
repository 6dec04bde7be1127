"""Users of the web UI: the script, run with a stand-in for Airflow."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from aerodrome.catalogue.version import catalogue
from aerodrome.components.users import LONGEST, create_user_script
from aerodrome.program import program
from aerodrome.secrets import Secret
from tests.unit.make import AWKWARD, HOSTS, Shell, fleet, inputs

SCHEDULER = HOSTS["s1"]
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
    script, payload = create_user_script(inputs(), SCHEDULER, PERSON, Secret(password))
    programs = {"systemd-run": AIRFLOW.replace("LOG", f"'{folder}/log'").replace("THERE", there)}
    done = sh(f"set -u\n{script}", payload, programs)
    return done, sh(f"cat '{folder}/log'").stdout.decode()


def test_a_new_login(sh: Shell, tmp_path: object) -> None:
    done, log = run(sh, tmp_path, "no")
    assert (done.returncode, done.stdout, log) == (0, b"created\n", f"create|{AWKWARD}\n")


def test_a_login_that_is_there_gets_this_password(sh: Shell, tmp_path: object) -> None:
    done, log = run(sh, tmp_path, "yes")
    assert (done.returncode, done.stdout) == (0, b"already existed, password reset\n")
    assert log == f"create|{AWKWARD}\nreset|{AWKWARD}\n"


def test_an_answer_without_an_end_is_cut_and_no_success(sh: Shell) -> None:
    script, payload = create_user_script(inputs(), SCHEDULER, PERSON, Secret("x"))
    done = sh(script, payload, {"systemd-run": "cat >/dev/null; yes"})
    assert (done.returncode, len(done.stdout)) == (1, LONGEST)


def test_what_airflow_says_against_it_comes_back(sh: Shell) -> None:
    script, payload = create_user_script(inputs(), SCHEDULER, PERSON, Secret("x"))
    done = sh(script, payload, {"systemd-run": "echo 'Admin is not a valid role'; exit 1"})
    assert (done.returncode, done.stdout) == (1, b"Admin is not a valid role\n")


@pytest.mark.parametrize("password", [AWKWARD, "plain-password"])
def test_the_password_is_in_no_script(password: str) -> None:
    script, payload = create_user_script(inputs(), SCHEDULER, PERSON, Secret(password))
    assert password not in script
    assert script.count(" -p EnvironmentFile=-/etc/default/airflow-scheduler ") == 2
    assert payload == f"{password}\n".encode() * 4


# Stand-ins for Flask-AppBuilder's security manager of Airflow 1.10 and 2; DEAF forgets the new password.
SECURITY = """\
class Login:
    id = 7
    password = "old"

class Logins:
    login = Login()
    def find_user(self, username):
        assert username == "ada"
        return self.login
    def reset_password(self, number, password):
        assert number == 7
        if not DEAF:
            self.login.password = "hash of " + password
"""
WERKZEUG = """\
def check_password_hash(hashed, password):
    return hashed == "hash of " + password
"""


def reset(folder: Path, sh: Shell, version: str, password: str, deaf: bool = False) -> tuple[int, bytes]:
    """Reset the password of an existing user, with real Python and stand-ins for Airflow."""
    modules = {
        "werkzeug/security.py": WERKZEUG,
        "airflow/www_rbac/app.py": f"{SECURITY}\ndef cached_appbuilder():\n    class App:\n"
        "        sm = Logins()\n    return App",
        "airflow/www/app.py": f"{SECURITY}\ndef cached_app():\n    class App:\n        class appbuilder:\n"
        "            sm = Logins()\n        class app_context:\n            def push(self): pass\n    return App",
    }
    for name, text in modules.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("DEAF", str(deaf)))
    script, payload = create_user_script(inputs(fleet(version=version)), SCHEDULER, PERSON, Secret(password))
    # Creating it fails because the user exists; a program in the environment's own Python then resets the password.
    systemd_run = (
        'while [ $# -gt 0 ]; do case $1 in */bin/airflow) cat >/dev/null; echo "ada already exist in the db"; exit;; '
        f"*/bin/python) shift; PYTHONPATH='{folder}' exec '{sys.executable}' \"$@\";; esac; shift; done"
    )
    done = sh(script, payload, {"systemd-run": systemd_run})
    return done.returncode, done.stdout


@pytest.mark.parametrize("version", ["1.10.10", "2.11.2"])
@pytest.mark.parametrize("password", [AWKWARD, "plain-password", " ends in a blank "])
def test_versions_without_a_command_for_it_get_a_program(
    sh: Shell, tmp_path: Path, version: str, password: str
) -> None:
    assert reset(tmp_path, sh, version, password) == (0, b"already existed, password reset\n")


@pytest.mark.parametrize("version", ["1.10.10", "2.11.2"])
def test_a_password_that_was_not_kept_is_a_failure(sh: Shell, tmp_path: Path, version: str) -> None:
    code, _ = reset(tmp_path, sh, version, "x", deaf=True)
    assert code == 1


@pytest.mark.parametrize("version", ["1.10.10", "2.11.2"])
def test_the_program_is_one_that_every_python_reads(version: str) -> None:
    text = program("reset_password", module=catalogue(version).logins, name="ada")
    ast.parse(text, feature_version=(3, 6))
    assert "$" not in text  # systemd would expand it
