"""Airflow's version changes by `fab upgrade`: nothing is lost, and a failure leads back to what was before."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from lab.fleet import Lab
from tests.real import Done, token, wait
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts, run_to_success, write_secret
from tests.scenarios.scenario import DEBIAN_13, HEAD, WORKER, apart

pytestmark = pytest.mark.slow

OLD, NEW = "2.11.2", "3.3.2"
SCENARIO = apart("upgrade", OLD, {"worker": (WORKER, DEBIAN_13)})
LINK = "readlink /opt/aerodrome/airflow/venv"
LONG = "SELECT state, try_number FROM task_instance WHERE dag_id = 'takes_long' ORDER BY start_date DESC LIMIT 1"
SLEPT = "cat /usr/local/airflow/logs/took-long 2>/dev/null || :"
DATABASES = "SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1') ORDER BY 1"
KEPT = "note: old1: the upgrade from Airflow 2.11.2 to 3.3.2 still keeps the database of before: airflow_before_"
LOST = ("dag_run", "task_instance")
TABLES = ("connection", "variable", "slot_pool", "ab_user", "ab_role")
LOGIN, LOGIN_PASSWORD = "upgraded", "of the upgrade"


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """A running fleet of the old version with a saved connection, a variable, a login and runs."""
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    folder = site.folder / "upgraded-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    shutil.copy(DAGS.with_name("more_dags") / "upgraded.py", folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.fab("deploy")
    write_secret(site.folder / "login", LOGIN_PASSWORD)
    site.fab("create-user", f"--name={LOGIN}", "--email=u@example.org", f"--password=!file {site.folder}/login")
    site.sql("DELETE FROM connection WHERE conn_id = 'saved'")  # hosts may be kept between runs
    site.fab("airflow", "connections add saved --conn-type=http --conn-host=example.org --conn-password=kept")
    site.fab("airflow", "variables set kept variable")
    for dag in ("takes_long", "every_minute"):
        known = f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"
        wait(f"{dag} is known", partial(site.sql, known))
        site.fab("airflow", f"dags unpause {dag}")
    yield site


def start_the_long_task(site: Site) -> int:
    """Return how many times it had ended before."""
    before = slept(site)
    site.fab("airflow", "dags trigger takes_long")
    wait("the task runs", lambda: site.sql(LONG)[:1] == [["running", "1"]], pause=0.5)
    return before


def slept(site: Site) -> int:
    return sum(len(site.sh(host, SLEPT).split()) for host in (WORKER, DEBIAN_13))


def tables(site: Site) -> dict[str, list[list[str]]]:
    return {table: site.sql(f"SELECT count(*) FROM {table}") for table in TABLES}


def now_is(site: Site, version: str) -> None:
    """Set the version in hosts.yaml."""
    site.change(f"version: {site.scenario.version}", f"version: {version}")
    site.scenario = replace(site.scenario, version=version)


def healthy(site: Site) -> list[dict[str, object]]:
    """Return what `fab status` shows; nothing if it ends with another code than 0."""
    process = site.start("status", "--json")
    done = end(process)
    found: list[dict[str, object]] = json.loads(done.out) if done.code == 0 else []
    return found


def runs_on(site: Site, version: str) -> None:
    """Everything is there, healthy and as it was, in this version."""
    for host in site.hosts:
        assert f"/{version}-py" in site.sh(host, LINK)
    # A web server that has just started, on two busy cores, may take longer to answer than status waits.
    found = wait("everything is healthy", partial(healthy, site))
    assert {row["version"] for row in found if row["role"] != "database"} == {version}
    saved = json.loads(site.fab("airflow", "connections get saved -o json").out.splitlines()[-1])
    assert saved[0]["password"] == "kept"
    assert site.fab("airflow", "variables get kept").out.splitlines()[-1] == "variable"
    assert site.sql(
        "SELECT dag_id FROM dag WHERE is_paused AND dag_id IN ('paused', 'takes_long', 'every_minute')"
    ) == [["paused"]]
    ticks = "SELECT count(*) FROM dag_run WHERE dag_id = 'every_minute' AND state = 'success'"
    before = site.sql(ticks)
    wait("the DAG of every minute goes on", lambda: site.sql(ticks) != before)


def end(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=900)
    return Done(process.returncode, out, err)


def test_a_check_stops_nothing(site: Site) -> None:
    started = site.started()
    done = site.fab("upgrade", "--check", f"--to={NEW}")
    assert f"Airflow {OLD} to {NEW}: " in done.text and "migrated in " in done.text
    assert site.started() == started
    assert site.sql(DATABASES) == [["airflow"]]


def test_a_failed_migration_leads_back(site: Site) -> None:
    before, counts, ended = site.sql(DATABASES), tables(site), start_the_long_task(site)
    process = site.start("upgrade", f"--to={NEW}", "--yes")
    wait("the scheduler stops", lambda: "inactive" in site.sh(HEAD, "systemctl is-active airflow@scheduler || :"))
    # The migration makes a table of this name. Its rehearsal is over.
    site.sql("CREATE TABLE deadline (id int); ALTER TABLE deadline OWNER TO airflow")
    done = end(process)
    print(done.err)
    assert done.code == 1, done.text
    assert 'relation "deadline" already exists' in done.err and "everything is as it was before" in done.err
    assert site.sql(LONG) == [["success", "1"]] and slept(site) == ended + 1
    site.sql("DROP TABLE deadline")
    assert tables(site) == counts
    assert site.sql(DATABASES)[:1] == before[:1]
    runs_on(site, OLD)
    site.nothing_to_do("deploy")


def test_an_upgrade_loses_nothing(site: Site) -> None:
    counts, ended = tables(site), start_the_long_task(site)
    began = time.monotonic()
    done = site.fab("upgrade", f"--to={NEW}", "--yes")
    print(f"{time.monotonic() - began:.0f} s", done.err)
    assert f"set airflow.version: {NEW}" in done.text
    assert site.sql(LONG) == [["success", "1"]] and slept(site) == ended + 1
    assert tables(site) == counts
    for task in ("plan", "deploy"):
        refused = site.fab(task, code=1)
        assert f"the fleet runs Airflow {NEW}" in refused.err, refused.text
    now_is(site, NEW)
    site.nothing_to_do("deploy")
    runs_on(site, NEW)
    assert token(site.web_url, LOGIN, LOGIN_PASSWORD)
    run_to_success(site, "who_runs_me")


def test_what_is_kept_is_said(site: Site) -> None:
    for task in ("status", "plan"):
        assert KEPT in site.fab(task).err
    assert "cannot ask without a terminal: nothing was dropped" in site.fab("upgrade.finish", code=1).err


def test_the_way_back_is_open_afterwards(site: Site) -> None:
    began = "SELECT min(start_date) FROM task_instance WHERE dag_id = 'who_runs_me'"  # only after the upgrade
    ((first,),) = site.sql(began)
    least = [site.sql(f"SELECT count(*) FROM {table} WHERE start_date >= '{first}'") for table in LOST]
    done = site.fab("upgrade", "--back", "--yes")
    print(done.err)
    found = re.search(
        r"forgets what has started since (\S+ \S+) UTC: (\d+) DAG runs? and (\d+) task instances?", done.text
    )
    assert found, done.text
    assert found[1] <= first[:16]
    for number, ((minimum,),) in zip(found.groups()[1:], least, strict=True):
        assert int(minimum) <= int(number) <= int(minimum) + 50
    now_is(site, OLD)
    runs_on(site, OLD)
    site.nothing_to_do("deploy")


def read_until(process: subprocess.Popen[str], stage: str) -> str:
    """Return the output of an upgrade until a stage begins, after the rehearsal."""
    lines: list[str] = []
    assert process.stderr
    for line in process.stderr:
        lines.append(line)
        if line.startswith(f"{stage}  (") and any(each.startswith("begin  (") for each in lines):
            return "".join(lines)
    pytest.fail("".join(lines))


@pytest.mark.parametrize("stage", ["backup", "migrate", "workers"])
@pytest.mark.parametrize("goes", ["on", "back"])
def test_a_killed_controller(site: Site, stage: str, goes: str) -> None:
    counts = tables(site)
    process = site.start("upgrade", f"--to={NEW}", "--yes")
    said = read_until(process, stage)
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = site.fab("deploy", code=1)
    assert f"an upgrade from Airflow {OLD} to {NEW} was begun, and has not been finished" in refused.err, refused.text
    done = site.fab("upgrade", f"--to={NEW}") if goes == "on" else site.fab("upgrade", "--back", "--yes")
    print(said, done.err)
    if goes == "on":
        now_is(site, NEW)
        runs_on(site, NEW)
        assert tables(site) == counts
        site.fab("upgrade", "--back", "--yes")
        now_is(site, OLD)
    runs_on(site, OLD)
    assert tables(site) == counts
    site.nothing_to_do("deploy")


def test_ctrl_c_leads_back(site: Site) -> None:
    process = site.start("upgrade", f"--to={NEW}", "--yes")
    read_until(process, "migrate")
    process.send_signal(signal.SIGINT)
    done = end(process)
    print(done.err)
    assert done.code == 130 and "interrupted; went back: everything is as it was before" in done.err
    runs_on(site, OLD)
    site.nothing_to_do("deploy")


def test_an_upgrade_is_finished(site: Site) -> None:
    site.fab("upgrade", f"--to={NEW}", "--yes")
    refused = site.fab("upgrade.finish", "--yes", code=1)
    assert f"the fleet runs Airflow {NEW}, but " in refused.err, refused.text
    now_is(site, NEW)
    assert KEPT in site.fab("status").err
    counts = tables(site)
    done = site.fab("upgrade.finish", "--yes")
    print(done.text)
    assert site.sql(DATABASES) == [["airflow"]]
    left = "ls -d /var/lib/aerodrome/upgrade /var/lib/aerodrome/backups/rehearsal/2* 2>/dev/null || :"
    assert site.sh(HEAD, left) == ""
    site.nothing_to_do("upgrade.finish", "--yes")
    site.nothing_to_do("deploy")
    for task in ("status", "plan"):
        assert "upgrade" not in site.fab(task).err
    assert "no upgrade is recorded" in site.fab("upgrade", "--back", "--yes", code=1).err
    assert tables(site) == counts
    runs_on(site, NEW)
