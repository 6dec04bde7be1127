"""Two workers whose machines have the same hostname, as machines created from one image do, over Redis.

Aerodrome writes no names to /etc/hosts here (`deploy.dns`): lines written by hand
stand in for DNS.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import PASSWORD, wait
from tests.scenarios.conftest import COMMANDS, DAGS, Site, described, raise_hosts
from tests.scenarios.scenario import DEBIAN_13, HEAD, WORKER, Scenario, apart
from tests.scenarios.web import log

pytestmark = pytest.mark.slow

WORKERS = (WORKER, DEBIAN_13)
SAME = {"redis": (HEAD,), "worker": WORKERS}
NAMED = [
    apart("3.3.2-same-hostname", "3.3.2", SAME),
    apart("2.11.2-same-hostname", "2.11.2", SAME),
    apart("1.10.10-same-hostname", "1.10.10", SAME, python="3.7"),
]
# The workers' answers to Celery's own ping.
PING = {
    1: "airflow.executors.celery_executor",
    2: "airflow.providers.celery.executors.celery_executor",
    3: "airflow.providers.celery.executors.celery_executor",
}
RUNNING = "SELECT hostname, task_id FROM task_instance WHERE dag_id = 'sleeps' AND state = 'running'"


@pytest.fixture(scope="module", params=NAMED, ids=lambda scenario: scenario.name)
def site(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A fleet whose workers' machines have the same hostname, with a DAG of three sleeping tasks."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    for host in WORKERS:
        done = lab.run(host, "echo debian >/etc/hostname; hostname debian")
        assert done.returncode == 0, done.stderr
    made = described(lab, scenario)
    names = "".join(f"{lab.address(host)} {host}\\n" for host in made.hosts)
    for host in made.hosts:
        made.sh(host, f"printf '{names}' >>/etc/hosts")
    made.change("deploy: {", "deploy: {dns: true, ")
    folder: Path = tmp_path_factory.mktemp("names") / "dags"
    folder.mkdir()
    shutil.copy(DAGS.with_name("more_dags") / "sleeps.py", folder)
    made.change(f"dags: {DAGS}", f"dags: {folder}")
    made.fab("deploy")
    return made


def test_each_worker_is_a_node_of_its_own(site: Site) -> None:
    module = PING[site.scenario.major]
    command = (
        "systemd-run -q --pipe --wait -p User=astro -p EnvironmentFile=/etc/default/airflow "
        "-p EnvironmentFile=-/etc/default/airflow-scheduler -p WorkingDirectory=/ "
        f"/opt/aerodrome/airflow/venv/bin/celery -A {module} inspect ping"
    )
    answers = site.lab.run(HEAD, f"{command} 2>&1").stdout
    print(answers)
    assert sorted(re.findall(r"celery@[\w.-]+", answers)) == sorted(f"celery@{host}" for host in WORKERS)
    for host in WORKERS:
        assert site.sh(host, "hostname").strip() == "debian"
        assert "DuplicateNodenameWarning" not in site.sh(host, "journalctl -q --no-pager -u 'airflow@worker*'")


def test_a_drain_names_the_tasks_of_that_worker_alone(site: Site) -> None:
    unpause, trigger = COMMANDS[site.scenario.major]
    wait("sleeps is known", lambda: site.sql("SELECT 1 FROM dag WHERE dag_id = 'sleeps'"))
    site.fab("airflow", f"{unpause} sleeps")
    site.fab("airflow", f"{trigger} sleeps")
    wait("all three run", lambda: len(site.sql(RUNNING)) == 3)
    of = {host: {task for where, task in site.sql(RUNNING) if where == host} for host in WORKERS}
    assert all(of.values()) and len(of[WORKER] | of[DEBIAN_13]) == 3

    done = site.fab("-H", WORKER, "stop", "--role=worker")

    line = next(line for line in done.err.splitlines() if "waiting for" in line)
    assert set(re.findall(r"sleeps\.(sleep_\d)", line)) == of[WORKER]
    assert "killed" not in done.err
    site.fab("start")
    wait("the run ends", lambda: site.sql("SELECT state FROM dag_run WHERE dag_id = 'sleeps'") == [["success"]])


def test_the_web_server_reads_each_worker_s_logs_by_the_name_that_dns_knows(site: Site) -> None:
    assert {host for (host,) in site.sql("SELECT DISTINCT hostname FROM task_instance")} == set(WORKERS)
    site.fab("status")  # fails unless the web server can read the logs of each worker
    site.fab("create-user", "--name=ada", f"--password=!file {site.folder}/password")
    moment = "execution_date" if site.scenario.major < 3 else "run_after"
    ((run, when),) = site.sql(
        f"SELECT run_id, to_char({moment} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US+00:00') FROM dag_run"
    )
    for task in ("sleep_0", "sleep_1", "sleep_2"):
        columns = {"dag_id": "sleeps", "run_id": run, "task_id": task, "execution_date": when}
        shown = log(site.scenario.major, site.web_url, ("ada", PASSWORD), columns)
        assert "sleep 25; echo" in shown, shown
    assert site.sh(HEAD, "grep -c aerodrome /etc/hosts || true").strip() == "0"
    site.nothing_to_do("deploy")
