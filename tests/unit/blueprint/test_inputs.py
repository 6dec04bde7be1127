"""Names and paths that follow from hosts.yaml."""

from __future__ import annotations

from tests.unit.make import AWKWARD, HOSTS, ROLES_OF_FLEET, fleet, inputs


def test_the_guides_names_and_paths() -> None:
    given = inputs(fleet(service="astronomer-certified"))
    assert given.user_home == "/home/astro"
    assert given.venv == "/home/astro/airflow-venv"
    assert given.environment_file == "/etc/default/astronomer-certified"
    assert given.unit("scheduler") == "astronomer-certified@scheduler.service"


def test_the_web_server_is_the_first_one() -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "webserver": ("w1", "web1")}, web_port=8081)
    assert inputs(of).web_url == "http://10.0.0.4:8081"


def test_roles_of_a_host_in_the_order_in_which_they_start() -> None:
    assert inputs().roles(HOSTS["s1"]) == ["scheduler", "dag-processor", "triggerer"]
    assert inputs().roles(HOSTS["db1"]) == []
    assert inputs(fleet(version="1.10.10")).roles(HOSTS["s1"]) == ["scheduler"]


def test_no_value_shows_a_secret() -> None:
    assert AWKWARD not in repr(inputs())
    assert "web-secret" not in repr(inputs())
