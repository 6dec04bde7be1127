"""Tasks that run while their worker, or LocalExecutor's scheduler, stops: waited for, or reported as killed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import wait
from tests.scenarios.conftest import COMMANDS, DAGS, Site, described, raise_hosts
from tests.scenarios.scenario import HEAD, WORKER, Scenario, alone, apart

pytestmark = pytest.mark.slow

DRAINED = [
    apart("3.3.2-drain", "3.3.2"),
    alone("3.3.2-drain-local", "3.3.2"),
    apart("2.11.2-drain", "2.11.2"),
    apart("1.10.10-drain", "1.10.10", python="3.7"),
]
RUNNING = "SELECT count(*) FROM task_instance WHERE dag_id = 'sleeps' AND state = 'running'"


@pytest.fixture(scope="module", params=DRAINED, ids=lambda scenario: scenario.name)
def site(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A fleet with a DAG of three tasks that sleep for 25 s each; two run at a time."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    made = described(lab, scenario)
    folder: Path = tmp_path_factory.mktemp("drain") / "dags"
    folder.mkdir()
    shutil.copy(DAGS.with_name("more_dags") / "sleeps.py", folder)
    made.change(f"dags: {DAGS}", f"dags: {folder}")
    made.change("deploy: {", "deploy: {drain_timeout: 120, ")
    made.fab("deploy")
    return made


def run_the_dag(site: Site) -> None:
    """Start a run, and return once its first tasks are sleeping."""
    unpause, trigger = COMMANDS[site.scenario.major]
    wait("sleeps is known", lambda: site.sql("SELECT 1 FROM dag WHERE dag_id = 'sleeps'"))
    site.fab("airflow", f"{unpause} sleeps")
    site.fab("airflow", f"{trigger} sleeps")
    wait("tasks run", lambda: int(site.sql(RUNNING)[0][0]) >= 2)


def task_host(site: Site) -> str:
    return WORKER if site.scenario.celery else HEAD


def role(site: Site) -> str:
    return "worker" if site.scenario.celery else "scheduler"


def test_tasks_that_end_in_time_are_waited_for(site: Site) -> None:
    run_the_dag(site)
    done = site.fab("stop", f"--role={role(site)}")
    print(done.err)
    line = next(line for line in done.err.splitlines() if "waiting for" in line)
    assert re.search(
        rf"^  {task_host(site)} +waiting for [23] running tasks: sleeps\.sleep_\d \([^,]+, \d+ s\), .*; at most 120 s$",
        line,
    )
    assert "killed" not in done.err
    assert site.sql(RUNNING) == [["0"]]
    site.fab("start")
    wait("the run ends", lambda: site.sql("SELECT state FROM dag_run WHERE dag_id = 'sleeps'") == [["success"]])


def test_tasks_that_outlast_their_time_are_reported_as_killed(site: Site) -> None:
    site.change("drain_timeout: 120", "drain_timeout: 5")
    site.fab("deploy")
    run_the_dag(site)
    done = site.fab("restart", f"--role={role(site)}", code=1)
    print(done.err)
    where = f"{task_host(site)}: roles.{role(site)}: running tasks were killed: "
    line = next(line for line in done.err.splitlines() if line.startswith(where))
    assert "sleeps.sleep_" in line
    assert "they had 5 s (deploy.drain_timeout: 5); --force makes this no error" in line
    # Everything else has been done, and the next run finds nothing to do.
    site.fab("status", f"--role={role(site)}")
    site.nothing_to_do("deploy")
    wait("tasks run again", lambda: int(site.sql(RUNNING)[0][0]) >= 1)
    forced = site.fab("restart", f"--role={role(site)}", "--force")
    print(forced.err)
    site.nothing_to_do("deploy")
