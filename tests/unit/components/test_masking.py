"""What may be shown of an environment file and of airflow.cfg, and what an undo may keep."""

from __future__ import annotations

from configparser import ConfigParser

import pytest

from aerodrome.components.environment import (
    environment,
    mask_config,
    mask_environment,
    mask_secrets,
    render_variables,
    role_environment,
)
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.secrets import MASK, Secret
from tests.unit.components.environment_file import DATABASE, FERNET, FILE, WEB1
from tests.unit.make import HOSTS, fleet, inputs


def test_a_masked_file_shows_what_is_known_to_be_no_secret() -> None:
    variables = environment(inputs(settings=Settings({"ZONE": "west", "SMTP": Secret("smtp-pass")})), WEB1)
    assert mask_environment(variables, render_variables(variables)).splitlines() == [
        *FILE.splitlines(),
        "ZONE=west",
        f"SMTP={MASK}",
    ]
    of_worker = role_environment(inputs(), HOSTS["w1"], "worker")
    assert mask_environment(of_worker, render_variables(of_worker)).splitlines()[1:] == [
        f"AIRFLOW__CELERY__BROKER_URL={MASK}",
        f"AIRFLOW__CELERY__RESULT_BACKEND={MASK}",
        f"AIRFLOW__API__SECRET_KEY={MASK}",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY=4",
    ]
    # Variables from before the roles had separate files are still secret.
    assert mask_environment(variables, f"{FERNET}\n{DATABASE}\n").count(MASK) == 2


@pytest.mark.parametrize(
    "line, shown",
    [
        ("ZONE=west", "ZONE=west"),
        (" ZONE = west", " ZONE = west"),
        ("OLD=hunter2", f"OLD={MASK}"),
        ("export ZONE=hunter2", f"export ZONE={MASK}"),
        ("hunter2", MASK),
        ("# a comment", "# a comment"),
        ("  ; an indented one", "  ; an indented one"),
        ("#OLD=hunter2", f"#OLD={MASK}"),
        ("  # export OLD = hunter2 # x", f"  # export OLD ={MASK}"),
        ("", ""),
    ],
)
def test_a_line_that_somebody_else_wrote(line: str, shown: str) -> None:
    assert mask_environment({"ZONE": "west"}, line) == shown


@pytest.mark.parametrize("second", ["hunter2", "hunter2==", "#hunter2", "ZONE=hunter2", "a=hunter2"])
def test_no_line_of_a_secret_of_several_lines_is_shown(second: str) -> None:
    given = inputs(settings=Settings({"ZONE": "west", "KEY": Secret(f"first\n{second}\nlast")}))
    shown = mask_environment(environment(given, WEB1), render_variables(environment(given, WEB1)))
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "found",
    [
        "ZONE=it's\nPASSWORD=hunter2\n",  # within an unquoted value, systemd interprets quotes
        "KEY=first\\\nhunter2==\n",  # a backslash joins the next line
        "KEY='first\nhunter2==\nlast'\n",
        'KEY="first\\"\nhunter2=="\n',
    ],
)
def test_a_file_that_somebody_wrote_by_hand_shows_no_secret(found: str) -> None:
    assert "hunter2" not in mask_environment({"ZONE": "west"}, found)


@pytest.mark.parametrize(
    "line, shown",
    [
        ("parallelism = 32", "parallelism = 32"),
        ("fernet_key = hunter2", f"fernet_key = {MASK}"),
        ("fernet_key=hunter2", f"fernet_key= {MASK}"),
        ("Fernet_Key: hunter2", f"Fernet_Key: {MASK}"),
        ("smtp_password = hunter2 = b", f"smtp_password = {MASK}"),
        ("sql_alchemy_conn = postgresql://u:hunter2@h/d", f"sql_alchemy_conn = {MASK}"),
        ("result_backend = db+postgresql://u:hunter2@h/d", f"result_backend = {MASK}"),
        ("flower_basic_auth = u:hunter2", f"flower_basic_auth = {MASK}"),
        ("sentry_dsn = https://hunter2@sentry/1", f"sentry_dsn = {MASK}"),
        # whatever its name is
        ("remote = https://u:hunter2@h/d", f"remote = {MASK}"),
        ("base = https://example.com", "base = https://example.com"),
        # no comment shows a secret that was once in use
        ("# fernet_key = hunter2", f"# fernet_key = {MASK}"),
        (";password=hunter2", f";password= {MASK}"),
        ("# The key that encrypts: see the manual", "# The key that encrypts: see the manual"),
        ("fernet_key =", "fernet_key ="),
        ("[secrets]", "[secrets]"),
        ("", ""),
        ("   ", "   "),
    ],
)
def test_a_setting_of_airflow_cfg_that_sounds_secret_is_masked(line: str, shown: str) -> None:
    assert mask_config(line) == shown


@pytest.mark.parametrize(
    "text",
    [
        "[core]\nfernet_key = first\n  hunter2\n",
        "[core]\nfernet_key =\n  hunter2\n",
        "[core]\nfernet_key =\n\n  hunter2\n",
        "[core]\nfernet_key = a\n\thunter2 = b\n\n\thunter2\n",
        "[core]\nfernet_key = a\n# a comment\n  hunter2\n",
        "[core]\n  fernet_key = hunter2\n    hunter2\n",
        "  fernet_key = hunter2\n",
    ],
)
def test_no_line_of_a_secret_that_goes_on_is_shown(text: str) -> None:
    shown = mask_config(text)
    assert "hunter2" not in shown
    assert shown.count("\n") == text.count("\n")


def test_what_goes_on_with_a_setting_that_is_no_secret_is_shown() -> None:
    text = "[core]\nplugins = a\n  b\n\n  c\n[api]\nport = 1\n  # why\n"
    assert mask_config(text) == text
    assert mask_config("password = a\nport = 1\n  2\n") == f"password = {MASK}\nport = 1\n  2\n"
    assert mask_config("  password = a\n  port = 1\n") == f"  password = {MASK}\n  port = 1\n"


def test_python_reads_an_airflow_cfg_as_its_mask_does() -> None:
    text = (
        "[a]\nkey = 1\n# c\n  hunter2\n\n  hunter2\n  # d\nplain = 2\n  token = hunter2\n  [b]\n\n  secret: hunter2\n"
    )
    parser = ConfigParser()
    parser.read_string(text)
    assert dict(parser["a"]) == {"key": "1\nhunter2\n\nhunter2", "plain": "2\ntoken = hunter2\n[b]\n\nsecret: hunter2"}
    shown = mask_config(text)
    assert shown.splitlines()[1:7] == [f"key = {MASK}", "# c", MASK, "", MASK, "  # d"]


KNOWN = inputs(
    settings=Settings({"ZONE": "west", "SLOT": Secret("a b$c")}),
    role_settings={"worker": Settings({"OTHER": Secret("elsewhere")})},
)


def kept(text: str, given: Inputs = KNOWN) -> bool:
    """Tell whether an undo may keep a line of the environment file of a web server's host."""
    shown = mask_secrets(given, environment(given, WEB1), text)
    assert shown.count("\n") == text.count("\n")
    assert shown == text or MASK in shown
    return shown == text


@pytest.mark.parametrize(
    "line",
    [
        "ZONE=anything7x9",  # hosts.yaml says openly what it is today
        "SEASON=winter",  # hosts.yaml no longer has it
        "SEASON=after-1.5",
        'GREETING="good morning"',
        "export SEASON=winter",
        "LIMIT=250",
        "PLACE=/srv/dags/common",
        "EMPTY=",
        "AIRFLOW__CORE__PARALLELISM=32",
        "AIRFLOW__CELERY__TASK_ACKS_LATE=True",
        "AIRFLOW__API__BASE_URL=http://web1:8099",  # in every file of ours
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://10.0.0.9:8080/execution/",
        "# a comment",
        "",
    ],
)
def test_an_undo_keeps_what_is_plainly_no_secret(line: str) -> None:
    assert kept(line)


@pytest.mark.parametrize(
    "line",
    [
        DATABASE,
        FERNET,
        "SLOT=former",  # a secret today, so it was one before
        "SMTP_PASSWORD=winter",
        "AIRFLOW_CONN_THERE=winter",
        "AIRFLOW__CORE__FERNET_KEY_CMD=cat",
        "ZONE=http://user:winter@there/",
        "SEASON=redis://:winter@there/",
        'SEASON="a b\\$c"',  # the secret of another variable
        "SEASON=elsewhere",
        "SEASON=p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B",  # the password as URLs spell it
        "SEASON=hunter2",  # nobody knows
        "SEASON=Zm9vYmFyYmF6cXV4",
        "SEASON=abcdefghijklmnopqrstuvwxyz",
        "SEASON='first\nsecond\nlast7x'",
        "#SEASON=winter",
        "winter",
    ],
)
def test_an_undo_keeps_nothing_that_may_be_a_secret(line: str) -> None:
    assert not kept(line)


@pytest.mark.parametrize("version", ["1.10.10", "2.11.2", "3.3.2"])
def test_an_undo_keeps_every_plain_variable_of_ours(version: str) -> None:
    given = inputs(fleet(version=version, config_file=None), settings=Settings({"ZONE": "west"}))
    for role in ("", "worker"):
        host = HOSTS["w1"] if role else WEB1
        variables = role_environment(given, host, role) if role else environment(given, host)
        text = render_variables(variables)
        assert mask_secrets(given, variables, text).count(MASK) == sum(
            isinstance(value, Secret) for value in variables.values()
        )
