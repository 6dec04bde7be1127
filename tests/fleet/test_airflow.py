"""Any Airflow command on the first scheduler, and users created twice."""

from __future__ import annotations

import json
import os
import secrets
from urllib.error import HTTPError

import pytest

from tests.fleet.conftest import Fleet
from tests.real import token


def test_a_command_prints_what_airflow_prints(fleet: Fleet) -> None:
    assert fleet.fab("airflow", "version").out.splitlines()[-1] == "3.3.2"


def test_it_runs_as_the_service_user_in_the_units_environment(fleet: Fleet) -> None:
    parts = json.loads(last_json(fleet.fab("airflow", "info --anonymize -o json").out))
    told = {key: value for part in parts for values in part.values() for key, value in values.items()}

    assert told["airflow_home"] == "/usr/local/airflow"
    assert told["executor"] == "CeleryExecutor"
    assert told["system_path"].startswith("/opt/aerodrome/airflow/venv/bin:/usr/local/sbin:")
    database = fleet.fab("airflow", "config get-value database sql_alchemy_conn").out.strip()
    assert database.endswith(f"@{fleet.lab.address('db1')}:5432/airflow")
    assert "********" in database  # the command gets the secret, and we do not show it


def last_json(text: str) -> str:
    """Return the JSON document at the end of an output, without the log lines before it."""
    starts = [text.find(bracket) for bracket in "{[" if bracket in text]
    return text[min(starts) :]


def test_the_exit_code_and_the_words_of_a_failure_are_handed_through(fleet: Fleet) -> None:
    failed = fleet.fab("airflow", "dags trigger no_such_dag", code=1)
    assert "no_such_dag" in failed.text
    assert 'Traceback (most recent call last):\n  File "/work' not in failed.err

    wrong = fleet.fab("airflow", "no-such-command", code=2)
    assert "invalid choice" in wrong.err


def test_quotes_that_do_not_match_are_refused_before_anything_runs(fleet: Fleet) -> None:
    refused = fleet.fab("airflow", "variables set a 'b", code=1)

    assert refused.err.startswith("error: the command has unbalanced quotes")


VALUES = ["two words", "$HOME `id` $(id) %h %% #;", "it's", 'say "hi"', "back\\slash", "Grüße ☃ ÁÈ", "two\nlines"]


def test_quoted_arguments_arrive_as_they_are(fleet: Fleet, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: fleet.fab("airflow", "variables delete aerodrome_quotes"))
    value = json.dumps(VALUES, ensure_ascii=False)
    quoted = "'" + value.replace("'", "'\"'\"'") + "'"

    fleet.fab("airflow", f"variables set aerodrome_quotes {quoted}")

    found = fleet.fab("airflow", "variables get aerodrome_quotes").out
    assert json.loads(last_json(found)) == VALUES


def test_a_login_made_twice_has_the_second_password(fleet: Fleet, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: fleet.fab("airflow", "users delete -u twice"))
    file = fleet.folder / "login-twice"
    file.touch(0o600)
    request.addfinalizer(lambda: os.unlink(file))
    first, second = secrets.token_urlsafe(12), secrets.token_urlsafe(12)

    file.write_text(first)
    made = fleet.fab("create-user", "--name=twice", f"--password=!file {file}")
    assert made.err.splitlines()[-1] == f"user twice: created; log in at {fleet.web_url}"
    assert token(fleet.web_url, "twice", first)

    file.write_text(second + "\n")
    again = fleet.fab("create-user", "--name=twice", f"--password=!file {file}")
    assert again.err.splitlines()[-1].startswith("user twice: already existed, password reset")
    assert token(fleet.web_url, "twice", second)
    with pytest.raises(HTTPError):
        token(fleet.web_url, "twice", first)
    assert not {first, second} & set((made.text + again.text).split())


def test_a_password_on_the_command_line_is_refused(fleet: Fleet) -> None:
    refused = fleet.fab("create-user", "--name=twice", "--password=secret", code=1)

    assert "a literal password would be visible in the process list" in refused.err
    assert "--password='!env NAME'" in refused.err
