"""The web server: its command, and how its health is judged."""

from __future__ import annotations

from typing import Any

import pytest

from aerodrome.components.health import (
    RoleHealth,
    fleet_wide,
)
from tests.unit.components.look import BODY, UNIT, WEB, dropin, judged, output
from tests.unit.make import ROLES_OF_FLEET, fleet, inputs


@pytest.mark.parametrize(
    "answer, verdict, detail",
    [
        ({"jobs": {}, "web": BODY}, "ok", "metadatabase healthy, scheduler healthy"),
        (
            {"jobs": {}, "web": {**BODY, "metadatabase": {"status": "unhealthy"}}},
            "waiting",
            "metadatabase unhealthy, scheduler healthy",
        ),
        ({"jobs": {}, "web_error": "URLError: refused"}, "waiting", "URLError: refused"),
        ({"jobs": {}, "web": {"detail": "Moved in Airflow 3"}}, "waiting", ""),
    ],
)
def test_a_web_server_by_its_health_body(answer: object, verdict: str, detail: str) -> None:
    assert judged("webserver", answer) == (verdict, detail)


@pytest.mark.parametrize(
    "part, roles, verdict",
    [
        ("scheduler", {}, "waiting"),
        ("triggerer", {}, "waiting"),
        ("dag_processor", {}, "waiting"),
        ("triggerer", {"triggerer": ()}, "ok"),  # the fleet should have none
        ("cellar", {}, "ok"),
    ],
)
def test_a_fleet_whose_web_server_reports_a_sick_role_is_not_healthy(part: str, roles: Any, verdict: str) -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, **roles}))
    answer = {"jobs": {}, "web": {**BODY, part: {"status": "unhealthy"}}}
    (own,) = RoleHealth(given, WEB, ("webserver",)).judge(output(answer, UNIT))
    assert own.ok  # it is up itself, and a deploy continues
    whole = fleet_wide(given, own)
    assert (whole.verdict, f"{part} unhealthy" in whole.detail) == (verdict, True)


def test_the_body_is_kept_for_those_who_want_all_of_it() -> None:
    found = RoleHealth(inputs(), WEB, ("webserver",)).judge(output({"jobs": {}, "web": BODY}, UNIT))
    assert found[0].body == BODY


PID_FILE = """\
ExecStart=
ExecStart=/opt/aerodrome/airflow/venv/bin/airflow webserver --pid /run/airflow-webserver/gunicorn.pid
# Holds the pid file, and is gone with the process: the next one would take a pid left behind for a running server.
RuntimeDirectory=airflow-webserver
"""


@pytest.mark.parametrize("version, rest", [("1.10.10", PID_FILE), ("2.11.2", PID_FILE)])
def test_a_webserver_forgets_who_ran_before(version: str, rest: str) -> None:
    assert dropin("webserver", "web1", version=version) == rest


def test_the_web_server_of_airflow_3_has_another_command() -> None:
    assert dropin("webserver", "web1") == "ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow api-server\n"
