"""A DAG run through Airflow's own client, and every task's log read from another machine than the one it ran on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import partial
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from tests.fleet.conftest import Fleet
from tests.fleet.rest import Api, log_in
from tests.real import opener, token, wait

DAG = "hello_fleet"


@pytest.fixture(scope="module")
def api(deployed: Fleet) -> Api:
    return log_in(deployed)


def answer(url: str, method: str = "GET", body: object = None, bearer: str | None = None) -> int:
    """Return the status of an answer."""
    request = Request(url, None if body is None else json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    if bearer is not None:
        request.add_header("Authorization", f"Bearer {bearer}")
    try:
        with opener.open(request, timeout=60) as found:
            return int(found.status)
    except HTTPError as error:
        return error.code


def test_tasks_run_on_their_workers_and_their_logs_are_read_through_the_web_server(deployed: Fleet, api: Api) -> None:
    run = api.succeed(DAG)
    tasks = api.tasks(DAG, run)

    assert {name: task.state and task.state.value for name, task in tasks.items()} == dict.fromkeys(tasks, "success")
    assert {tasks["look_around"].hostname, tasks["say_hello"].hostname} <= {"worker1", "worker2"}
    assert (tasks["write_report"].hostname, tasks["write_report"].queue) == ("worker2", "reports")
    node = {name: deployed.node(str(task.hostname)) for name, task in tasks.items()}
    known = {
        "look_around": f"\n{node['look_around']}\n",
        "say_hello": f"hello from {node['say_hello']}",
        "write_report": f"written on {node['write_report']}",
    }
    assert set(tasks) == set(known)

    def shows(name: str, content: str) -> bool:
        return content in api.log(DAG, run, name)

    for name, content in known.items():
        wait(
            f"“{content.strip()}” in the log of {name}",
            partial(shows, name, content),
            patience=30,
        )
        # Only the worker has the log: the web server has fetched it from there.
        file = f"/usr/local/airflow/logs/dag_id={DAG}/run_id={run}/task_id={name}"
        assert deployed.lab.run("web1", f"test -e '{file}'").returncode == 1
        assert deployed.lab.run(str(tasks[name].hostname), f"test -e '{file}'").returncode == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/dags"),
        ("GET", "/api/v2/connections"),
        ("GET", "/api/v2/variables"),
        ("GET", "/api/v2/config"),
        ("GET", f"/api/v2/dags/{DAG}/dagRuns"),
        ("GET", f"/api/v2/dagSources/{DAG}"),
        ("GET", "/ui/dags"),
        ("PATCH", f"/api/v2/dags/{DAG}"),
        ("POST", f"/api/v2/dags/{DAG}/dagRuns"),
        ("POST", "/api/v2/variables"),
        ("POST", "/auth/fab/v1/users"),
    ],
)
def test_without_a_login_nothing_is_shown_or_done(deployed: Fleet, method: str, path: str) -> None:
    body: object = {} if method != "GET" else None

    assert answer(deployed.web_url + path, method, body) in (401, 403)


def test_a_wrong_password_an_unknown_login_and_a_forged_token_are_refused(deployed: Fleet, api: Api) -> None:
    for name, password in ((api.name, "wrong"), ("nobody", "wrong"), ("admin", "admin"), (api.name, "")):
        with pytest.raises(HTTPError) as refused:
            token(deployed.web_url, name, password)
        assert refused.value.code in (400, 401, 403, 422)
    assert answer(f"{deployed.web_url}/api/v2/dags", bearer=api.token) == 200
    for key in (b"", b"temporary_key", b"nonsense"):
        assert answer(f"{deployed.web_url}/api/v2/dags", bearer=forged(api.token, key)) in (401, 403)


def forged(real: str, key: bytes) -> str:
    """Sign a token's claims again with another key."""
    head, claims, _ = real.split(".")
    fields = json.loads(base64.urlsafe_b64decode(head + "=="))
    algorithm = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[fields["alg"]]
    signature = hmac.digest(key, f"{head}.{claims}".encode(), algorithm)
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_worker_shows_no_log_without_the_secret(deployed: Fleet) -> None:
    for host in ("worker1", "worker2"):
        url = f"http://{deployed.lab.address(host)}:8793/log/dag_id={DAG}/"
        assert answer(url) in (401, 403)
        key = hashlib.sha256(str(time.time()).encode()).digest()
        claims = "eyJhbGciOiJIUzUxMiJ9.e30.x"
        assert answer(url, bearer=forged(claims, key)) in (401, 403)


def test_a_login_whose_password_comes_from_the_environment(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    password = "p@ss w/%rd:$HOME '\"\\é#;`id`"
    monkeypatch.setenv("LOGIN_OF_TESTS", password)
    request.addfinalizer(lambda: fleet.fab("airflow", "users delete -u by-environment"))

    made = fleet.fab(
        "create-user",
        "--name=by-environment",
        "--role=Viewer",
        "--password=!env LOGIN_OF_TESTS",
        "--email=b@example.com",
    )

    assert f"log in at {fleet.web_url}" in made.err
    assert password not in made.text
    bearer = token(fleet.web_url, "by-environment", password)
    assert answer(f"{fleet.web_url}/api/v2/dags", bearer=bearer) == 200
    assert answer(f"{fleet.web_url}/api/v2/variables", "POST", {"key": "a", "value": "b"}, bearer) == 403
