"""The environment file: its variables, how systemd reads them, and what may be shown."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.blueprint.environment import (
    commands,
    environment,
    mask_config,
    mask_environment,
    render_variables,
    role_environment,
)
from aerodrome.blueprint.inputs import Settings
from aerodrome.errors import InvalidInput
from aerodrome.fleet import Broker, Database, Host
from aerodrome.resources.environment import escape
from aerodrome.secrets import MASK, Secret
from tests.unit.make import AWKWARD, FERNET_KEY, HOSTS, fleet, inputs

PASSWORD = "p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B"
WEB1 = HOSTS["web1"]

FILE = f"""\
# Written by Aerodrome from hosts.yaml: change it there. Read by systemd (systemd.exec(5), EnvironmentFile=).
AIRFLOW_HOME=/usr/local/airflow
PATH=/home/astro/airflow-venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
AIRFLOW__CORE__FERNET_KEY={FERNET_KEY}
AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://airflow:{PASSWORD}@10.0.0.1:5432/airflow
AIRFLOW__CELERY__BROKER_URL=sqla+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow
AIRFLOW__CELERY__RESULT_BACKEND=db+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow
AIRFLOW__CORE__EXECUTOR=CeleryExecutor
AIRFLOW__CORE__LOAD_EXAMPLES=False
AIRFLOW__API__SECRET_KEY=web-secret
AIRFLOW__API__PORT=8080
AIRFLOW__API__BASE_URL=http://10.0.0.3:8080
AIRFLOW__API_AUTH__JWT_SECRET=jwt-secret
AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://10.0.0.3:8080/execution/
AIRFLOW__CORE__AUTH_MANAGER=airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
"""


def test_the_environment_file_as_a_whole() -> None:
    assert render_variables(environment(inputs(), WEB1)) == FILE


def names(version: str, **airflow: Any) -> set[str]:
    return set(environment(inputs(fleet(version=version, **airflow)), WEB1))


def test_airflow_2_has_its_own_names_and_nothing_of_airflow_3() -> None:
    assert names("2.11.2") == {
        "AIRFLOW_HOME",
        "PATH",
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__WEBSERVER__SECRET_KEY",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT",
        "AIRFLOW__WEBSERVER__BASE_URL",
        "AIRFLOW__CELERY__BROKER_URL",
        "AIRFLOW__CELERY__RESULT_BACKEND",
        "AIRFLOW__API__AUTH_BACKENDS",
    }


def test_airflow_1_10_has_the_database_in_core_and_denies_the_open_api() -> None:
    found = environment(inputs(fleet(version="1.10.10")), WEB1)
    assert "AIRFLOW__CORE__SQL_ALCHEMY_CONN" in found
    assert found["AIRFLOW__WEBSERVER__RBAC"] == "True"
    assert found["AIRFLOW__API__AUTH_BACKEND"] == "airflow.api.auth.backend.deny_all"


def test_without_celery_there_is_no_broker() -> None:
    assert not [name for name in names("3.3.2", executor="LocalExecutor") if "CELERY" in name]


def test_what_people_reach_is_not_what_tasks_call() -> None:
    found = environment(inputs(fleet(base_url="https://air.example.com", web_workers=3)), WEB1)
    assert found["AIRFLOW__API__BASE_URL"] == "https://air.example.com"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://10.0.0.3:8080/execution/"
    assert found["AIRFLOW__API__WORKERS"] == "3"


def test_what_is_more_particular_wins() -> None:
    given = inputs(
        settings=Settings(
            {"AIRFLOW__CORE__PARALLELISM": "2", "ZONE": "all"},
            {"core": {"load_examples": "True", "parallelism": "1"}},
        ),
        host_settings={"web1": Settings({"ZONE": "west"}, {"core": {"load_examples": "False", "parallelism": "3"}})},
    )
    on_web1, on_w1 = environment(given, WEB1), environment(given, HOSTS["w1"])
    names = ("AIRFLOW__CORE__LOAD_EXAMPLES", "AIRFLOW__CORE__PARALLELISM", "ZONE")
    assert [on_w1[name] for name in names] == ["True", "2", "all"]
    assert [on_web1[name] for name in names] == ["False", "3", "west"]


def test_a_setting_of_another_version_s_name_is_given_by_todays() -> None:
    found = environment(inputs(fleet(version="2.11.2"), settings=Settings(config={"api": {"workers": "2"}})), WEB1)
    assert found["AIRFLOW__WEBSERVER__WORKERS"] == "2"


# How systemd reads it: each of these was in a file that systemd 252 read, and was in the process's
# /proc/self/environ as it is on the left.

READ_BY_SYSTEMD = {
    "": "",
    "postgresql+psycopg2://airflow:p%40ss@10.0.0.1:5432/airflow": "postgresql+psycopg2://airflow:p%40ss@10.0.0.1:5432/airflow",
    " two  words ": '" two  words "',
    "it's \"so\"": '"it\'s \\"so\\""',
    "a$HOME ${PATH} $$": '"a\\$HOME \\${PATH} \\$\\$"',
    "`id` $(id)": '"\\`id\\` \\$(id)"',
    "a\\b \\n \\\\ \\é \\": '"a\\\\b \\\\n \\\\\\\\ \\\\é \\\\"',
    "100 %n %i": '"100 %n %i"',
    "#not; a comment # here": '"#not; a comment # here"',
    ";x": '";x"',
    "= a = b": '"= a = b"',
    "one\ntwo\n\nthree\n": '"one\ntwo\n\nthree\n"',
    "a\\\nb": '"a\\\\\nb"',
    "a\n#b\nX=1": '"a\n#b\nX=1"',
    "\ta\tb\t": '"\ta\tb\t"',
    "né ☃ 😀 \u2028\u00a0": '"né ☃ 😀 \u2028\u00a0"',
    AWKWARD: '"p@ss/w%rd:\\$ \'\\"\\\\é#;"',
    "~/x ~": '"~/x ~"',
    "!x!": '"!x!"',
    "* ? [a]": '"* ? [a]"',
}  # fmt: skip


@pytest.mark.parametrize("value", READ_BY_SYSTEMD, ids=ascii)
def test_a_value_is_written_as_systemd_reads_it(value: str) -> None:
    assert escape(value) == READ_BY_SYSTEMD[value]


def test_an_awkward_value_is_in_the_file_as_systemd_reads_it() -> None:
    text = render_variables(environment(inputs(settings=Settings({"SMTP": Secret(AWKWARD)})), WEB1))
    assert text == FILE + 'SMTP="p@ss/w%rd:\\$ \'\\"\\\\é#;"\n'


# What Airflow would make something else of


@pytest.mark.parametrize(
    "value, expanded",
    [("a$HOME", "$HOME"), ("${HOME}/x", "${HOME}"), ("~/x", "~"), ("~ada", "~ada"), ("~", "~")],
)
def test_a_setting_that_airflow_would_expand_is_refused(value: str, expanded: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        environment(inputs(settings=Settings({"AIRFLOW__A__B": value, "AIRFLOW__A__C": value})), WEB1)
    assert caught.value.problems == [
        f"AIRFLOW__A__{key}: Airflow would expand the “{expanded}” in its value" for key in "BC"
    ]
    assert "_CMD" in caught.value.hint


@pytest.mark.parametrize(
    "name, value",
    [
        ("MY_OWN", "$HOME"),  # not Airflow's
        ("AIRFLOW__A__B_CMD", "echo $HOME"),
        ("AIRFLOW__A__B_SECRET", "~/x"),
        ("AIRFLOW__A__B", "5 $ a~b / ~é$"),
    ],
)
def test_what_airflow_leaves_alone_is_not(name: str, value: str) -> None:
    assert environment(inputs(settings=Settings({name: value})), WEB1)[name] == value


def test_the_jwt_secret_is_a_setting_and_no_reference_to_one() -> None:
    with pytest.raises(InvalidInput):
        environment(inputs(jwt_secret=Secret("abc$HOME")), WEB1)


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        environment(inputs(secret_key=Secret("abc$uperSecret")), WEB1)
    assert "uperSecret" not in str(caught.value)


# What may be shown


def test_a_masked_file_shows_what_is_known_to_be_no_secret() -> None:
    variables = environment(inputs(settings=Settings({"ZONE": "west", "SMTP": Secret("smtp-pass")})), WEB1)
    assert mask_environment(variables, render_variables(variables)).splitlines() == [
        *FILE.splitlines()[:3],
        f"AIRFLOW__CORE__FERNET_KEY={MASK}",
        f"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN={MASK}",
        f"AIRFLOW__CELERY__BROKER_URL={MASK}",
        f"AIRFLOW__CELERY__RESULT_BACKEND={MASK}",
        *FILE.splitlines()[7:9],
        f"AIRFLOW__API__SECRET_KEY={MASK}",
        *FILE.splitlines()[10:12],
        f"AIRFLOW__API_AUTH__JWT_SECRET={MASK}",
        *FILE.splitlines()[13:],
        "ZONE=west",
        f"SMTP={MASK}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "line, shown",
    [
        ("ZONE=west", "ZONE=west"),
        (" ZONE = west", " ZONE = west"),
        ("OLD=hunter2", f"OLD={MASK}"),
        ("export ZONE=hunter2", f"export ZONE={MASK}"),
        ("hunter2", MASK),
        ("# a comment", "# a comment"),
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
        "ZONE=it's\nPASSWORD=hunter2\n",  # within an unquoted value systemd takes a quote for itself
        "KEY=first\\\nhunter2==\n",  # a backslash joins the next line
        "KEY='first\nhunter2==\nlast'\n",
        'KEY="first\\"\nhunter2=="\n',
    ],
)
def test_a_file_that_somebody_wrote_by_hand_shows_no_secret(found: str) -> None:
    assert "hunter2" not in mask_environment({"ZONE": "west"}, found)
