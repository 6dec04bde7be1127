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


def test_a_login_is_made_under_the_fleets_lock_and_in_the_history_without_its_password(
    fleet: Fleet, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: fleet.fab("airflow", "users delete -u recorded"))
    file = fleet.folder / "login-recorded"
    file.touch(0o600)
    request.addfinalizer(lambda: os.unlink(file))
    password = secrets.token_urlsafe(12)
    file.write_text(password)
    secrets_file = fleet.folder / "secrets.yaml"
    before = secrets_file.read_bytes()

    made = fleet.fab("create-user", "--name=recorded", f"--password=!file {file}", "--json")

    events = [json.loads(line) for line in made.out.splitlines()]
    kinds = [event["event"] for event in events]
    assert [kinds[0], *kinds[-2:]] == ["begin", "note", "end"]
    assert events[-2]["text"] == f"user recorded: created; log in at {fleet.web_url}"
    assert (events[-1]["outcome"], events[-1]["changed"]) == ("changed", ["sched1"])
    (change,) = [event for event in events if event["event"] == "change_end"]
    assert (change["step"], change["summary"]) == ("create-user", "create the user recorded")
    (last,) = json.loads(fleet.fab("history", "--last=1", "--json").out)
    assert (last["run"], last["command"], last["outcome"]) == (events[0]["run"], "fab create-user", "changed")
    assert last["changed"] == {"sched1": ["user recorded"]}
    journal = fleet.sh("sched1", "journalctl -q -t aerodrome -o cat | tail -1")
    assert f"run {last['run']}" in journal and "create-user: user recorded" in journal
    everything = fleet.sh("db1", "cat /var/lib/aerodrome/history/*") + fleet.sh("sched1", "journalctl -q -o cat")
    assert password not in everything + made.text
    assert secrets_file.read_bytes() == before

    fleet.fab("lock.hold", "--reason=no new users")
    try:
        refused = fleet.fab("create-user", "--name=refused", f"--password=!file {file}", code=1)
    finally:
        fleet.fab("lock.release", "--reason=over")
    assert "nothing was changed: " in refused.err and "no new users" in refused.err
    assert "refused" not in fleet.fab("airflow", "users list").out


def test_what_airflow_says_against_a_login_is_shown(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN_OF_TESTS", "hunter2-hunter2")
    refused = fleet.fab("create-user", "--name=odd", "--role=Nobody", "--password=!env LOGIN_OF_TESTS", code=1)
    assert "sched1: create-user: could not create the user odd (exit 1)" in refused.err
    assert "Nobody is not a valid role" in refused.err
    assert "hunter2" not in refused.text


def test_a_password_on_the_command_line_is_refused(fleet: Fleet) -> None:
    refused = fleet.fab("create-user", "--name=twice", "--password=secret", code=1)

    assert "a literal password would be visible in the process list" in refused.err
    assert "--password='!env NAME'" in refused.err
