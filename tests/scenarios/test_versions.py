"""Every Airflow, executor and broker: from bare hosts to a successful DAG run on the right hosts."""

from __future__ import annotations

import json
import re
import socket

from tests.real import PASSWORD, wait
from tests.scenarios.conftest import Site, run_the_dag, run_to_success, write_secret
from tests.scenarios.web import led_to, lets_in, log, status

DAG = "who_runs_me"
# Pages that require a login, and how they are refused without.
CLOSED = {
    1: {"/api/experimental/test": 403, "/api/experimental/latest_runs": 403},
    2: {"/api/v1/dags": 403, "/api/v1/connections": 403},
    3: {"/api/v2/dags": 401, "/api/v2/connections": 401},
}


def rows(site: Site) -> list[dict[str, object]]:
    found = json.loads(site.fab("status", "--json").out)
    assert isinstance(found, list)
    return found


def exposure(site: Site, host: str, unit: str) -> float:
    """Return systemd's own exposure rating of a running unit: 0 is best, 10 is worst."""
    told = site.sh(host, f"systemd-analyze security --no-pager {unit}")
    found = float(re.findall(r"Overall exposure level for \S+: ([\d.]+)", told)[0])
    print(f"{site.scenario.name}: {host}: {unit}: exposure {found}")
    return found


def test_the_first_deploy_ends_healthy(site: Site) -> None:
    found = rows(site)
    assert {(row["host"], row["role"]) for row in found} == site.scenario.expected
    assert all(row["healthy"] and row["restarts"] == 0 for row in found), found
    ours = [row for row in found if row["role"] not in ("database", "redis")]
    assert {row["version"] for row in ours} == {site.scenario.version}
    assert site.fab("airflow", "version").out.splitlines()[-1] == site.scenario.version


def test_nobody_gets_in_without_a_login(site: Site) -> None:
    closed = CLOSED[site.scenario.major]
    assert {path: status(site.web_url + path) for path in closed} == closed
    if site.scenario.major < 3:
        assert "/login/" in led_to(f"{site.web_url}/home")
    for host in site.scenario.roles.get("redis", ()):
        with socket.create_connection((site.lab.address(host), 6379), timeout=10) as connection:
            connection.sendall(b"INFO\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
        assert "Connection refused" in site.lab.run(host, "redis-cli -h 127.0.0.1 PING 2>&1").stdout


def test_examples_are_off_and_secrets_are_its_own(site: Site) -> None:
    (head, *_) = site.hosts
    variables = site.sh(head, "cat /etc/default/airflow*")

    assert "AIRFLOW__CORE__LOAD_EXAMPLES=False" in variables
    secret = re.search(r"^AIRFLOW__(WEBSERVER|API)__SECRET_KEY=(\S{32,})$", variables, re.MULTILINE)
    assert secret and secret[2] != "temporary_key"
    for host in site.hosts:
        if site.lab.run(host, "test -e /etc/default/airflow").returncode == 0:
            assert secret[0] in site.sh(host, "cat /etc/default/airflow*")


def test_a_login_with_an_awkward_password_is_made_and_made_again(site: Site) -> None:
    file, major = site.folder / "login", site.scenario.major
    made = []
    for password in ("first of two", PASSWORD):
        write_secret(file, password)
        made.append(site.fab("create-user", "--name=ada", f"--password=!file {file}"))
        assert lets_in(major, site.web_url, "ada", password)

    assert "user ada: created; log in at" in made[0].err
    assert "user ada: already existed, password reset" in made[1].err
    assert PASSWORD not in made[1].text
    for wrong in ("first of two", "wrong"):
        assert not lets_in(major, site.web_url, "ada", wrong)


def test_a_run_ends_well_on_the_hosts_that_run_tasks(site: Site) -> None:
    run_the_dag(site)


def test_the_web_server_shows_what_the_tasks_have_logged(site: Site) -> None:
    moment = "execution_date" if site.scenario.major < 3 else "run_after"
    ((run, when),) = site.sql(
        f"SELECT run_id, to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00') FROM dag_run"
    )
    for task, said in (("in_bash", "run in Bash on"), ("in_python", "run in Python on")):
        ((host,),) = site.sql(f"SELECT hostname FROM task_instance WHERE task_id = '{task}'")
        columns = {"dag_id": DAG, "run_id": run, "task_id": task, "execution_date": when}
        content = f"{said} {site.node(host)}"

        def shown(content: str = content, columns: dict[str, str] = columns) -> bool:
            return content in log(site.scenario.major, site.web_url, ("ada", PASSWORD), columns)

        wait(f"“{content}” in the log of {task}", shown, 30)


def test_tasks_in_the_sandbox_may_do_what_tasks_do(site: Site) -> None:
    tasks = run_to_success(site, "what_tasks_do")

    assert [task for task, _, _ in tasks] == ["files", "in_bash", "network", "processes"]


def test_what_runs_is_exposed_little(site: Site) -> None:
    for row in rows(site):
        if row["role"] != "database":
            assert exposure(site, str(row["host"]), str(row["unit"])) <= 2.0, row


def test_a_second_deploy_changes_nothing(site: Site) -> None:
    before = site.started()
    site.nothing_to_do("deploy")

    assert site.started() == before
    assert all(row["healthy"] and row["restarts"] == 0 for row in rows(site))
