"""Airflow's version changes on a running fleet: refused, or with everything stopped first."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import wait
from tests.scenarios.conftest import COMMANDS, DAGS, Site, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import HEAD, WORKER, Scenario, alone, apart

pytestmark = pytest.mark.slow

OLD, NEW = "2.11.2", "3.3.2"
LINK = (
    "readlink -f $(sed -n 's|^ExecStart=\\(.*\\)/bin/airflow .*|\\1|p' /etc/systemd/system/airflow@.service | head -1)"
)
REVISION = "SELECT version_num FROM alembic_version"


def raised(lab: Lab, scenario: Scenario, folder: Path) -> Site:
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    shutil.copytree(DAGS, folder / "dags")
    shutil.copy(DAGS.with_name("more_dags") / "sleeps.py", folder / "dags")
    site.change(f"dags: {DAGS}", f"dags: {folder}/dags")
    site.fab("deploy")
    return site


def to_version(site: Site, version: str) -> None:
    site.change(f"version: {site.scenario.version}", f"version: {version}")
    site.scenario = replace(site.scenario, version=version)


def healthy(site: Site, version: str) -> None:
    found = json.loads(site.fab("status", "--json").out)
    assert {row["version"] for row in found if row["role"] != "database"} == {version}


def test_one_host_with_local_executor(lab: Lab, tmp_path: Path) -> None:
    site = raised(lab, alone("version-local", OLD), tmp_path)
    run_the_dag(site)
    before = site.started(), site.sh(HEAD, LINK), site.sql(REVISION)
    to_version(site, NEW)

    for task in ("plan", "deploy", "setup-node", "node.install"):
        done = site.fab(task, code=1)
        assert f"{HEAD}: node.install: Airflow {OLD} is in use here" in done.err, done.text
        assert "fab deploy --accept-downtime" in done.err
    assert (site.started(), site.sh(HEAD, LINK), site.sql(REVISION)) == before

    site.sh(HEAD, "systemctl stop 'postgresql*'")  # whether it has been migrated cannot be asked
    done = site.fab("node.install", code=1)
    assert "the metadata database cannot be asked whether it is at its version" in done.err
    site.sh(HEAD, "systemctl start postgresql")

    plan = site.fab("plan", "--accept-downtime", code=2)
    assert f"stop airflow@scheduler.service (Airflow {OLD} becomes {NEW})" in plan.out
    done = site.fab("deploy", "--accept-downtime")
    stops = [
        done.err.index(f"stop airflow@{role}.service (Airflow") for role in ("scheduler", "triggerer", "webserver")
    ]
    assert stops == sorted(stops) and stops[-1] < done.err.index("install Airflow"), done.err
    healthy(site, NEW)
    run_the_dag(site)
    site.nothing_to_do("deploy")
    started = site.started()
    site.nothing_to_do("deploy", "--accept-downtime")
    assert site.started() == started

    to_version(site, OLD)
    for more in ((), ("--accept-downtime",)):
        done = site.fab("deploy", *more, code=1)
        assert (
            f"the fleet runs Airflow {NEW}, which has migrated the metadata database; {OLD} cannot use it" in done.err
        )
    assert site.started() == started


def test_workers_end_what_runs_and_what_is_queued(lab: Lab, tmp_path: Path) -> None:
    site = raised(lab, apart("version-celery", OLD), tmp_path)
    dag = "sleeps"
    wait(f"{dag} is known", lambda: site.sql(f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"))
    unpause, trigger = COMMANDS[2]
    site.fab("airflow", f"{unpause} {dag}")
    site.fab("airflow", f"{trigger} {dag}")
    states = f"SELECT state FROM task_instance WHERE dag_id = '{dag}' ORDER BY state"
    # The worker runs two at a time, so the third one's message is in the broker.
    wait("two run and one is queued", lambda: site.sql(states) == [["queued"], ["running"], ["running"]], pause=0.5)
    to_version(site, NEW)

    began = time.monotonic()
    done = site.fab("deploy", "--accept-downtime")

    print(f"{time.monotonic() - began:.0f} s", done.err)
    assert "wait until no task is queued or running" in done.err
    assert site.sql(f"SELECT state, try_number FROM task_instance WHERE dag_id = '{dag}'") == [["success", "1"]] * 3
    assert site.sh(WORKER, "sort /usr/local/airflow/logs/slept | uniq -c | awk '{print $1}'").split() == ["1"] * 3
    healthy(site, NEW)
    run_the_dag(site)
