"""The practice hosts of the scenarios: bare for each scenario, with its own hosts.yaml."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pytest

from lab.fleet import Lab
from tests.real import PASSWORD, PROJECT, Fleet, wait
from tests.scenarios.pythons import prefix
from tests.scenarios.scenario import DEBIAN_13, HEAD, PYTHON_PLACE, SCENARIOS, WORKER, Scenario

DAGS = PROJECT / "tests" / "scenarios" / "dags"
COMMANDS = {1: ("unpause", "trigger_dag"), 2: ("dags unpause", "dags trigger"), 3: ("dags unpause", "dags trigger")}


@dataclass
class Site(Fleet):
    """The hosts of a scenario, and fab on them."""

    scenario: Scenario = SCENARIOS[0]

    def sql(self, query: str) -> list[list[str]]:
        """Return the rows of a query to the metadata database, run on its host."""
        (host,) = self.scenario.roles["database"]
        found = self.sh(host, f"runuser -u postgres -- psql -XAtq -d airflow -c {quote(query)}")
        return [line.split("|") for line in found.splitlines()]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab of the scenarios; it is taken down at the end."""
    lab = Lab(os.environ.get("AERODROME_SCENARIOS_LAB", "scenarios"))
    try:
        yield lab
    finally:
        if not kept():
            take_down(lab)


def kept() -> bool:
    """Tell whether hosts stay as they are between runs, for writing tests."""
    return bool(os.environ.get("AERODROME_KEEP_LAB"))


def take_down(lab: Lab) -> None:
    """Take all hosts down, workers before the broker: a stopping worker would wait for a broker that is gone."""
    raised = {host.name for host in lab.status() if host.up}
    for worker in (WORKER, DEBIAN_13):
        if worker in raised:
            lab.down_host(worker)
    lab.down()


def raise_hosts(lab: Lab, scenario: Scenario) -> None:
    """Start the hosts of a scenario, bare except for the Python that it needs."""
    if not kept():
        take_down(lab)
    binds = [f"{prefix(scenario.python)}:{PYTHON_PLACE}"] if scenario.python else None
    for host in scenario.hosts:
        lab.up_host(host, scenario.suites.get(host), binds)
        if scenario.python:
            # Its library has to be where it was built to be; here, gcc finds it too, for packages that pip builds.
            done = lab.run(host, f"ln -sf {PYTHON_PLACE}/lib/libpython* /usr/local/lib && ldconfig")
            assert done.returncode == 0, done.stderr


def described(lab: Lab, scenario: Scenario) -> Site:
    """Return the site of a scenario whose hosts are up, after writing its hosts.yaml and the database's password."""
    site = Site(lab, PROJECT / ".lab" / lab.name, scenario.hosts, HEAD, scenario=scenario)
    write_secret(site.folder / "password", PASSWORD)
    addresses = {host: lab.address(host) for host in scenario.hosts}
    site.hosts_yaml.write_text(scenario.hosts_yaml(addresses, str(DAGS)))
    return site


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, for hosts.yaml and `--password=!file`."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        opened.write(text + "\n")


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, id=each.name, marks=[pytest.mark.slow] if each.slow else []) for each in SCENARIOS],
)
def site(request: pytest.FixtureRequest, lab: Lab) -> Site:
    """The hosts of a scenario after their first deploy."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    began = time.monotonic()
    done = site.fab("deploy")
    stages = [line for line in done.err.splitlines() if re.match(r"(?!waiting for )\S.* s\)$", line)]
    print(f"{scenario.name}: deployed in {time.monotonic() - began:.0f} s", *stages, sep="\n  ")
    return site


def run_to_success(site: Site, dag: str) -> list[list[str]]:
    """Run a DAG successfully on the hosts that should run tasks; return each task with its host and state."""
    unpause, trigger = COMMANDS[site.scenario.major]
    wait(f"{dag} is known", lambda: site.sql(f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"))
    before = len(site.sql(f"SELECT 1 FROM dag_run WHERE dag_id = '{dag}'"))
    site.fab("airflow", f"{unpause} {dag}")
    site.fab("airflow", f"{trigger} {dag}")
    newest = f"FROM dag_run WHERE dag_id = '{dag}' ORDER BY id DESC LIMIT 1"

    def end() -> str:
        if len(site.sql(f"SELECT 1 FROM dag_run WHERE dag_id = '{dag}'")) == before:
            return ""
        ((state,),) = site.sql(f"SELECT state {newest}")
        return state if state in ("success", "failed") else ""

    state = wait("the run's end", end)
    tasks = site.sql(f"SELECT task_id, hostname, state FROM task_instance WHERE dag_id = '{dag}' ORDER BY task_id")
    print("".join(f"{site.scenario.name}: {task} ran on {host}: {how}\n" for task, host, how in tasks))
    assert state == "success", tasks
    assert {how for _, _, how in tasks} == {"success"}
    assert {host for _, host, _ in tasks} <= site.scenario.task_hosts
    return tasks


def run_the_dag(site: Site, dag: str = "who_runs_me") -> None:
    """Run the scenarios' DAG successfully; show which host ran which task."""
    tasks = run_to_success(site, dag)
    assert {task for task, _, _ in tasks} == {"in_bash", "in_python"}
    # Do not trust Airflow alone: the tasks left a file where they ran.
    for task, host, _ in tasks:
        assert f"{task} {site.node(host)}" in site.sh(host, "cat /usr/local/airflow/logs/who-ran-me").splitlines()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the hosts' journals if a test fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    site = getattr(item, "funcargs", {}).get("site")
    if report.failed and site is not None and f"--- {HEAD}" not in str(report.longrepr):
        report.sections.append(("journals of the hosts", site.journals()))
