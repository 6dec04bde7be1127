"""The environment file: its variables, how systemd reads them, and what may be shown."""

from __future__ import annotations

from configparser import ConfigParser
from typing import Any

import pytest

from aerodrome.components.environment import (
    commands,
    environment,
    mask_config,
    mask_environment,
    render_variables,
    role_environment,
    secrets,
)
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Broker, Database, Host
from aerodrome.resources.environment import escape
from aerodrome.secrets import MASK, Secret
from tests.unit.make import AWKWARD, FERNET_KEY, HOSTS, ROLES_OF_FLEET, fleet, inputs

PASSWORD = "p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B"
WEB1 = HOSTS["web1"]

HEAD = "# Written by Aerodrome from hosts.yaml: change it there. Read by systemd (systemd.exec(5), EnvironmentFile=).\n"
FILE = f"""\
{HEAD}\
AIRFLOW_HOME=/usr/local/airflow
PATH=/opt/aerodrome/airflow/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
AIRFLOW__CORE__EXECUTOR=CeleryExecutor
AIRFLOW__CORE__LOAD_EXAMPLES=False
AIRFLOW__API__PORT=8080
AIRFLOW__API__BASE_URL=http://10.0.0.3:8080
AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://10.0.0.3:8080/execution/
AIRFLOW__CORE__AUTH_MANAGER=airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager
AIRFLOW__CORE__HOSTNAME_CALLABLE=aerodrome_host.name
AIRFLOW__API__HOST=10.0.0.3
"""
CELERY = "airflow_celery:celery-secret@10.0.0.1:5432/airflow_celery"
FERNET = f"AIRFLOW__CORE__FERNET_KEY={FERNET_KEY}"
DATABASE = f"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql+psycopg2://airflow:{PASSWORD}@10.0.0.1:5432/airflow"
CELERY_URLS = [
    f"AIRFLOW__CELERY__BROKER_URL=sqla+postgresql://{CELERY}",
    f"AIRFLOW__CELERY__RESULT_BACKEND=db+postgresql://{CELERY}",
]
WEB, JWT = "AIRFLOW__API__SECRET_KEY=web-secret", "AIRFLOW__API_AUTH__JWT_SECRET=jwt-secret"


def test_the_environment_file_as_a_whole() -> None:
    assert render_variables(environment(inputs(), WEB1)) == FILE


@pytest.mark.parametrize(
    "role, lines",
    [
        ("scheduler", [FERNET, DATABASE, *CELERY_URLS, WEB, JWT]),
        ("dag-processor", [FERNET, DATABASE]),
        ("triggerer", [FERNET, DATABASE, WEB]),
        ("webserver", [FERNET, DATABASE, WEB, JWT]),
        ("worker", [*CELERY_URLS, WEB]),
    ],
)
def test_each_role_of_airflow_3_has_the_secrets_that_it_needs_and_no_others(role: str, lines: list[str]) -> None:
    text = render_variables(role_environment(inputs(), HOSTS["w2"], role))
    assert text == HEAD + "".join(f"{line}\n" for line in lines)


def test_before_airflow_3_every_role_has_all_of_them() -> None:
    for version in ("1.10.10", "2.11.2"):
        given = inputs(fleet(version=version))
        assert secrets(given).items() <= environment(given, HOSTS["w2"]).items()
        assert len(secrets(given)) == 5
        assert role_environment(given, HOSTS["w2"], "worker") == {}


def names(version: str, **airflow: Any) -> set[str]:
    given = inputs(fleet(version=version, **airflow))
    return {*environment(given, WEB1), *role_environment(given, WEB1, "webserver")}


def test_airflow_2_has_its_own_names_and_nothing_of_airflow_3() -> None:
    assert names("2.11.2") == {
        "AIRFLOW_HOME",
        "PATH",
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW__CORE__LOAD_EXAMPLES",
        "AIRFLOW__CORE__HOSTNAME_CALLABLE",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__WEBSERVER__SECRET_KEY",
        "AIRFLOW__WEBSERVER__WEB_SERVER_PORT",
        "AIRFLOW__WEBSERVER__WEB_SERVER_HOST",
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


@pytest.mark.parametrize("version, named", [("1.10.10", "aerodrome_host:name"), ("2.11.2", "aerodrome_host.name")])
def test_a_host_reports_its_name_of_hosts_yaml_unless_the_operator_says_otherwise(version: str, named: str) -> None:
    variable, of = "AIRFLOW__CORE__HOSTNAME_CALLABLE", fleet(version=version)
    assert environment(inputs(of), WEB1)[variable] == named
    given = inputs(of, settings=Settings(config={"core": {"hostname_callable": "socket:gethostname"}}))
    assert environment(given, WEB1)[variable] == "socket:gethostname"


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


# Roles


def plain(variables: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not isinstance(value, Secret)}


def of_role(role: str = "worker", host: Host = HOSTS["w2"], **given: Any) -> dict[str, Any]:
    return role_environment(inputs(**given), host, role)


def test_a_role_has_variables_and_settings_of_its_own_by_the_version_s_names() -> None:
    settings = Settings({"OMP_NUM_THREADS": "2"}, {"api": {"workers": "2"}})
    for version, name in (("2.11.2", "AIRFLOW__WEBSERVER__WORKERS"), ("3.3.2", "AIRFLOW__API__WORKERS")):
        found = of_role("webserver", of=fleet(version=version), role_settings={"webserver": settings})
        assert plain(found) == {name: "2", "OMP_NUM_THREADS": "2"}
    assert plain(of_role("worker", role_settings={"webserver": settings})) == {}


def test_settings_of_a_host_win_over_settings_of_its_role() -> None:
    role_settings = {"worker": Settings({"ZONE": "role", "A": "role"}, {"core": {"parallelism": "1"}})}
    host_settings = {"w2": Settings({"ZONE": "host", "AIRFLOW__CORE__PARALLELISM": "2"})}
    given: dict[str, Any] = {"role_settings": role_settings, "host_settings": host_settings}
    assert plain(of_role("worker", **given)) == {"A": "role"}
    assert of_role("worker", HOSTS["w1"], **given)["ZONE"] == "role"
    assert environment(inputs(**given), HOSTS["w2"])["ZONE"] == "host"


def test_tasks_at_once_are_those_of_the_worker_host() -> None:
    given: dict[str, Any] = {"role_settings": {"worker": Settings(config={"celery": {"worker_concurrency": "9"}})}}
    name = "AIRFLOW__CELERY__WORKER_CONCURRENCY"
    assert plain(of_role("worker", HOSTS["w1"], **given)) == {name: "4"}
    assert plain(of_role("worker", HOSTS["w2"], **given)) == {name: "9"}
    assert plain(of_role("triggerer", HOSTS["w1"])) == {}


def test_a_setting_of_a_role_that_airflow_would_expand_is_refused() -> None:
    with pytest.raises(InvalidInput, match="AIRFLOW__A__B"):
        of_role(role_settings={"worker": Settings(config={"a": {"b": "$HOME"}})})


# Brokers, and secrets from a command on the node

CONN, BROKER, RESULTS = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
)


def connections(given: Inputs) -> dict[str, str]:
    """Return the variables for the database, the broker and the Fernet key."""
    parts = ("SQL_ALCHEMY_CONN", "BROKER_URL", "RESULT_BACKEND", "FERNET_KEY")
    found = {**environment(given, WEB1), **role_environment(given, WEB1, "scheduler")}.items()
    return {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in found
        if any(part in name for part in parts)
    }


def test_redis_is_the_broker_where_a_host_has_that_role() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}, broker=Broker(port=6380))
    found = connections(inputs(of, redis_password=Secret(AWKWARD)))
    assert found[BROKER] == found[RESULTS] == f"redis://:{PASSWORD}@10.0.0.5:6380/0"


@pytest.mark.parametrize("given", [{"version": "2.11.2"}, {"version": "3.3.2", "separate": False}])
def test_results_stay_in_the_metadata_database_where_workers_know_it(given: dict[str, Any]) -> None:
    broker = Broker(separate=given.pop("separate", True))
    redis = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}, broker=broker, **given)
    found = connections(inputs(redis, redis_password=Secret("x")))
    assert found[RESULTS] == f"db+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow"
    found = connections(inputs(fleet(broker=broker, **given)))
    assert found[BROKER] == f"sqla+postgresql://airflow:{PASSWORD}@10.0.0.1:5432/airflow"


def test_a_broker_by_url_is_taken_as_it_is() -> None:
    found = connections(inputs(broker_url=Secret("amqp://u:p@b:5672/v"), result_backend=Secret("redis://r/1")))
    assert (found[BROKER], found[RESULTS]) == ("amqp://u:p@b:5672/v", "redis://r/1")
    for name in (BROKER, RESULTS):
        assert isinstance(role_environment(inputs(broker_url=Secret("a://b")), WEB1, "worker")[name], Secret)


def test_the_url_of_a_database_that_is_not_ours() -> None:
    database = Database("my db", "me", 5433, managed=False, host="2001:db8::9")
    found = connections(inputs(fleet(database=database, roles={**ROLES_OF_FLEET, "database": ()})))
    assert found[CONN] == f"postgresql+psycopg2://me:{PASSWORD}@[2001:db8::9]:5433/my%20db"
    assert found[BROKER] == f"sqla+postgresql://me:{PASSWORD}@[2001:db8::9]:5433/my%20db"


COMMANDS: dict[str, Any] = {
    "database": Database(connection_command="vault kv get -field=dsn secret/airflow-db"),
    "broker": Broker(url_command="vault broker", result_backend_command="vault 'the results'"),
    "fernet_key_command": "vault fernet",
}


@pytest.mark.parametrize(
    "version, conn",
    [
        ("1.10.10", "AIRFLOW__CORE__SQL_ALCHEMY_CONN"),
        ("2.11.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
        ("3.3.2", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"),
    ],
)
def test_where_commands_give_the_secrets_none_is_in_the_file(version: str, conn: str) -> None:
    given = inputs(fleet(version=version, **COMMANDS), password=None, fernet_key=None)
    wanted = {
        "AIRFLOW__CORE__FERNET_KEY_CMD": "vault fernet",
        f"{conn}_CMD": "vault kv get -field=dsn secret/airflow-db",
        "AIRFLOW__CELERY__BROKER_URL_CMD": "vault broker",
        "AIRFLOW__CELERY__RESULT_BACKEND_CMD": "vault 'the results'",
    }
    assert connections(given) == commands(given) == wanted
    text = render_variables({**environment(given, WEB1), **role_environment(given, WEB1, "scheduler")})
    assert "AIRFLOW__CELERY__RESULT_BACKEND_CMD=\"vault 'the results'\"\n" in text
    assert PASSWORD not in text


def test_a_command_is_no_secret_and_is_shown() -> None:
    variables = role_environment(inputs(fleet(**COMMANDS), password=None, fernet_key=None), WEB1, "webserver")
    shown = mask_environment(variables, render_variables(variables))
    assert f'{CONN}_CMD="vault kv get -field=dsn secret/airflow-db"\n' in shown


def test_a_command_wins_over_the_password_that_setup_db_needs() -> None:
    of = fleet(database=Database(connection_command="vault", password=Secret("x")), broker=Broker(url=Secret("a://b")))
    found = connections(inputs(of, broker_url=Secret("a://b")))
    assert (found[f"{CONN}_CMD"], found.get(CONN)) == ("vault", None)
    # Airflow derives it from the database's URL, which nobody else should know.
    assert RESULTS not in found


def test_commands_of_nothing_are_none() -> None:
    assert commands(inputs()) == {}


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


# Values that Airflow would expand


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
        role_environment(inputs(jwt_secret=Secret("abc$HOME")), WEB1, "webserver")


def test_a_refused_secret_is_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        role_environment(inputs(secret_key=Secret("abc$uperSecret")), WEB1, "worker")
    assert "uperSecret" not in str(caught.value)


# Masking


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


# airflow.cfg


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
