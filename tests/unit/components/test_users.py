"""Users of the web UI: the script, run with a stand-in for Airflow."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from aerodrome.catalogue.version import catalogue
from aerodrome.checks.users import CREATED, RESET
from aerodrome.components.users import LONGEST, user_created
from aerodrome.core.resource import Change
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


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put what a run says about itself below a folder of this test."""
    monkeypatch.setattr("aerodrome.checks.users.FOLDER", str(tmp_path))
    monkeypatch.setattr("aerodrome.components.users.FOLDER", str(tmp_path))
    return tmp_path


def change(password: str = AWKWARD, version: str = "3.3.2", mark: str = "1f3a") -> Change:
    return user_created(inputs(fleet(version=version)), SCHEDULER, PERSON, Secret(password), mark).change


def run(sh: Shell, folder: Path, there: str, mark: str = "1f3a"):  # type: ignore[no-untyped-def]
    """Run the change as an apply does; return how it ended, what Airflow got, and what the check then finds."""
    action = user_created(inputs(), SCHEDULER, PERSON, Secret(AWKWARD), mark)
    programs = {"systemd-run": AIRFLOW.replace("LOG", f"'{folder}/log'").replace("THERE", there)}
    done = sh(f"set -eu\n{action.change.script}\necho after", action.change.payload, programs)
    (finding,) = action.check.judge(sh(action.check.probe()).stdout.decode())
    return done, (folder / "log").read_text(), finding


def test_a_new_login(sh: Shell, folder: Path) -> None:
    done, log, finding = run(sh, folder, "no")
    assert (done.returncode, done.stdout, log) == (0, b"after\n", f"create|{AWKWARD}\n")
    assert (finding.ok, finding.detail) == (True, CREATED)


def test_a_login_that_is_there_gets_this_password(sh: Shell, folder: Path) -> None:
    done, log, finding = run(sh, folder, "yes")
    assert (done.returncode, log) == (0, f"create|{AWKWARD}\nreset|{AWKWARD}\n")
    assert (finding.ok, finding.detail) == (True, RESET)


def test_a_run_leaves_nothing_of_an_earlier_one(sh: Shell, folder: Path) -> None:
    run(sh, folder, "no", "1f3a")
    run(sh, folder, "yes", "2b4c")
    assert [path.name for path in folder.glob("user-*")] == ["user-2b4c"]


def test_an_answer_without_an_end_is_cut_and_no_success(sh: Shell, folder: Path) -> None:
    done = sh(f"set -eu\n{change().script}", change().payload, {"systemd-run": "cat >/dev/null; yes"})
    assert (done.returncode, len(done.stdout)) == (1, LONGEST)
    assert list(folder.glob("user-*")) == []


def test_what_airflow_says_against_it_comes_back(sh: Shell) -> None:
    program = "echo '@killed everything'; echo 'Admin is not a valid role'; exit 1"
    done = sh(f"set -eu\n{change().script}", change().payload, {"systemd-run": program})
    # The controller acts on lines that begin with @, and these come from the service user's code.
    assert (done.returncode, done.stdout) == (1, b" @killed everything\nAdmin is not a valid role\n")


@pytest.mark.parametrize("password", [AWKWARD, "plain-password"])
def test_the_password_is_in_no_script(password: str) -> None:
    script = change(password).script
    assert password not in script
    assert script.count(" -p EnvironmentFile=-/etc/default/airflow-scheduler ") == 2
    assert change(password).payload == f"{password}\n".encode() * 4


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
    made = change(password, version)
    # Creating it fails because the user exists; a program in the environment's own Python then resets the password.
    systemd_run = (
        'while [ $# -gt 0 ]; do case $1 in */bin/airflow) cat >/dev/null; echo "ada already exist in the db"; exit;; '
        f"*/bin/python) shift; PYTHONPATH='{folder}' exec '{sys.executable}' \"$@\";; esac; shift; done"
    )
    done = sh(f"set -eu\n{made.script}", made.payload, {"systemd-run": systemd_run})
    return done.returncode, done.stdout + b"".join(path.read_bytes() for path in folder.glob("user-*"))


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
