"""The environment file: its variables, those of roles, and values that Airflow would expand."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.components.environment import environment, render_variables, role_environment, secrets
from aerodrome.components.inputs import Settings
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host
from aerodrome.secrets import Secret
from tests.unit.components.environment_file import DATABASE, FERNET, FILE, HEAD, WEB1
from tests.unit.make import AWKWARD, HOSTS, fleet, inputs

CELERY = "airflow_celery:celery-secret@10.0.0.1:5432/airflow_celery"
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


def test_an_awkward_value_is_in_the_file_as_systemd_reads_it() -> None:
    text = render_variables(environment(inputs(settings=Settings({"SMTP": Secret(AWKWARD)})), WEB1))
    assert text == FILE + 'SMTP="p@ss/w%rd:\\$ \'\\"\\\\é#;"\n'


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
