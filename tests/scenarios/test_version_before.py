"""A fleet deployed by the previous version is converted by one `fab deploy`, with tasks running."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import PROJECT, wait
from tests.scenarios.conftest import COMMANDS, DAGS, Site, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import HEAD, Scenario, alone, apart

pytestmark = pytest.mark.slow

BEFORE = "82af505"  # the last commit in which environments belong to the service user
OLD_VENV, OLD_VENVS = "/home/astro/airflow-venv", "/home/astro/airflow-venvs"
FOLDER, HOME = "/opt/aerodrome/airflow", "/usr/local/airflow"
DAG = "sleeps"
STATES = f"SELECT state, try_number FROM task_instance WHERE dag_id = '{DAG}'"
KEPT = f"readlink {OLD_VENV}; stat -c '%U %a %n' {OLD_VENVS} {OLD_VENVS}/*/bin/airflow; cat {OLD_VENVS}/*/bin/airflow"

SCENARIOS = [
    apart("3.3.2-before-celery", "3.3.2"),
    alone("2.11.2-before-local", "2.11.2"),
    alone("1.10.10-before-local", "1.10.10", python="3.8"),
]


@pytest.fixture(scope="module")
def old_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the previous version."""
    folder = tmp_path_factory.mktemp("before")
    found = subprocess.run(["git", "-C", PROJECT, "archive", BEFORE], capture_output=True)
    assert found.returncode == 0, f"this clone lacks {BEFORE} (git fetch --unshallow): {found.stderr.decode()}"
    subprocess.run(["tar", "-xC", folder], input=found.stdout, check=True)
    return folder


@pytest.fixture(scope="module", params=SCENARIOS, ids=lambda scenario: scenario.name)
def site(
    request: pytest.FixtureRequest, lab: Lab, old_checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Site:
    """A running fleet as the previous version left it."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    folder = old_checkout / "my-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    shutil.copy(DAGS.with_name("more_dags") / "sleeps.py", folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.checkout = old_checkout
    site.fab("deploy")
    site.nothing_to_do("deploy")
    return site


def start_tasks(site: Site) -> None:
    """Start a run of three tasks, of 25 s each, and return once two of them run."""
    unpause, trigger = COMMANDS[site.scenario.major]
    wait(f"{DAG} is known", lambda: site.sql(f"SELECT 1 FROM dag WHERE dag_id = '{DAG}'"))
    site.fab("airflow", f"{unpause} {DAG}")
    site.fab("airflow", f"{trigger} {DAG}")
    wait("two tasks run", lambda: sum(state == "running" for state, _ in site.sql(STATES)) >= 2, pause=0.5)


def test_one_deploy_brings_it_over_and_loses_no_task(site: Site) -> None:
    kept = {host: site.sh(host, KEPT) for host in site.scenario.task_hosts}
    start_tasks(site)
    before = site.started()
    site.checkout = PROJECT

    plan = site.fab("plan", code=2)
    for shown in (
        f"make virtual environment {FOLDER}/venvs/{site.scenario.version}-py",
        f"link {FOLDER}/venv to it (units leave {OLD_VENV}, which stays until you remove it)",
        f"take {HOME} from astro: only logs in it stays astro's",
        "restart airflow@scheduler.service",
    ):
        assert shown in plan.out, plan.text
    assert site.started() == before

    done = site.fab("deploy")
    print(done.err)
    assert "killed" not in done.err
    wait("the run ends", lambda: site.sql(f"SELECT state FROM dag_run WHERE dag_id = '{DAG}'") == [["success"]])
    assert site.sql(STATES) == [["success", "1"]] * 3
    host = next(iter(site.scenario.task_hosts))
    assert site.sh(host, f"sort {HOME}/logs/slept | tr '\\n' ' '") == "0 1 2 "

    site.nothing_to_do("deploy")
    assert {host: site.sh(host, KEPT) for host in kept} == kept


def test_all_of_it_is_new_and_works(site: Site) -> None:
    found = json.loads(site.fab("status", "--json").out)
    assert {(row["host"], row["role"]) for row in found} == site.scenario.expected
    assert all(row["healthy"] and row["restarts"] == 0 for row in found), found
    for host in site.hosts:
        running = site.sh(host, "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'")
        assert f"{FOLDER}/venv" in running and OLD_VENVS not in running and f"{OLD_VENV}/" not in running
        # The previous release stays for processes that have it open; so does a pid file that nobody reads any more.
        assert site.sh(host, f"find -L {HOME}/dags {FOLDER} -user astro") == ""
        assert site.sh(host, f"stat -c %U {HOME} {HOME}/dags {HOME}/dags-releases {HOME}/logs").split() == [
            *["root"] * 3, "astro",
        ]  # fmt: skip
    run_the_dag(site)


def test_the_old_environment_may_go(site: Site) -> None:
    for host in site.hosts:
        site.sh(host, f"rm -rf {OLD_VENV} {OLD_VENVS}")
    site.nothing_to_do("deploy")
    site.fab("restart", f"--role={'worker' if site.scenario.celery else 'scheduler'}")
    site.nothing_to_do("deploy")
    assert site.sh(HEAD, f"readlink {FOLDER}/venv").startswith(f"{FOLDER}/venvs/{site.scenario.version}")
