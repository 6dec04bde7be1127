"""`fab upgrade` to a patch release that uses the database as it is: rolling, and no task notices."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from shlex import quote
from types import MappingProxyType

import pytest

from lab.fleet import Lab
from tests.real import PROJECT, wait
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts, run_to_success
from tests.scenarios.scenario import DEBIAN_13, HEAD, REDIS_ROLE, TWO, WORKER, apart
from tests.scenarios.test_upgrade import DATABASES, LINK, LONG, slept, start_the_long_task

pytestmark = pytest.mark.slow

NEW, PATCH, MINOR = "3.3.2", "3.3.1", "3.2.2"  # both became that one; only the last one has to be migrated
DATES = {PATCH: "2026-09-18", MINOR: "2026-06-15"}  # whose packages work together
SHIPPED = PROJECT / "locks" / f"airflow-{NEW}-py3.11.txt"
SAMPLED = "/run/scheduler-sampled"
# The scheduler's state, with the time, twice a second.
SAMPLE = (
    "while :; do printf '%s %s\\n' $(date +%s.%N) $(systemctl is-active airflow@scheduler.service); sleep 0.5; done"
    f" >{SAMPLED}"
)
FAILED = (
    "SELECT dag_id, run_id, state, try_number FROM task_instance "
    "WHERE state IN ('failed', 'upstream_failed', 'up_for_retry', 'removed') OR try_number > 1"
)
OIDS = "SELECT oid, datname FROM pg_database ORDER BY 1"
BROKEN = "/etc/systemd/system/airflow@worker.service.d/99-broken.conf"


def raised(lab: Lab, version: str, roles: Mapping[str, tuple[str, ...]] = MappingProxyType({})) -> Site:
    """A running fleet of a version without a lock file of its own, with two workers and further `roles`."""
    scenario = apart(f"rolling-{version}", version, {"worker": (WORKER, DEBIAN_13), **roles})
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    lock = site.folder / f"{version}.txt"
    site.fab("pin", f"--version={version}", f"--date={DATES[version]}", f"--output={lock}")
    folder = site.folder / "upgraded-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    shutil.copy(DAGS.with_name("more_dags") / "upgraded.py", folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.change(f"  version: {version}\n", f"  version: {version}\n  lock: {lock}\n")
    site.fab("deploy")
    for dag in ("takes_long", "every_minute"):
        wait(f"{dag} is known", partial(site.sql, f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"))
        site.fab("airflow", f"dags unpause {dag}")
    return site


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    yield raised(lab, PATCH)


def now_is(site: Site, version: str, lock: Path) -> None:
    """Set version and lock file in hosts.yaml."""
    lines = site.hosts_yaml.read_text().splitlines(keepends=True)
    new = {"version": f"  version: {version}\n", "lock": f"  lock: {lock}\n"}
    site.hosts_yaml.write_text("".join(new.get(line.strip().partition(":")[0], line) for line in lines))


def runs_on(site: Site, version: str) -> None:
    for host in site.hosts:
        assert f"/{version}-py" in site.sh(host, LINK)
    shown = site.fab("status").out
    assert version in shown
    run_to_success(site, "who_runs_me")


def upgrade(*more: str) -> tuple[str, ...]:
    return ("upgrade", f"--to={NEW}", f"--lock={SHIPPED}", *more)


def down(site: Site) -> list[float]:
    """Return for how many seconds the scheduler was down, each time."""
    samples = [line.split() for line in site.sh(HEAD, f"cat {SAMPLED}").splitlines() if len(line.split()) == 2]
    times = [(float(at), state) for at, state in samples]
    spans = [list(group) for _, group in groupby(times, key=lambda each: each[1] == "active")]
    return [span[-1][0] - span[0][0] + 0.5 for span in spans if span[0][1] != "active"]


def test_a_check_says_that_nothing_stops(site: Site) -> None:
    started, databases = site.started(), site.sql(DATABASES)
    done = site.fab(*upgrade("--check"))
    assert "no migration; no downtime" in done.text, done.text
    assert "expected downtime" not in done.text
    assert site.started() == started
    assert site.sql(DATABASES) == databases


def test_no_task_is_lost_and_the_scheduler_only_restarts(site: Site) -> None:
    before, databases = site.sql(FAILED), site.sql(OIDS)
    site.sh(HEAD, f"systemd-run -q --collect --unit=samples sh -c {quote(SAMPLE)}")
    began, lines, ended = time.monotonic(), list[str](), -1
    process = site.start(*upgrade("--yes"))
    assert process.stderr
    for line in process.stderr:
        lines.append(line)
        if line.startswith("begin  ("):
            ended = start_the_long_task(site)
    said = "".join(lines)
    print(f"{time.monotonic() - began:.0f} s", said)
    assert process.wait() == 0 and ended >= 0
    site.sh(HEAD, "systemctl stop samples.service")
    order = [said.index(f"\n{stage}  (") for stage in ("begin", "webservers", "scheduler", "workers", "done")]
    assert order == sorted(order)
    assert "stop airflow@scheduler" not in said and "copy database" not in said.partition("\nbegin  (")[2]
    assert "1 running task: takes_long" in said.partition("\nworkers  (")[2]  # its worker waits for it
    print("the scheduler was down:", down(site))
    assert len(down(site)) == 1 and down(site)[0] < 60
    wait("the task ends", lambda: site.sql(LONG) == [["success", "1"]])
    assert slept(site) == ended + 1
    assert site.sql(FAILED) == before
    assert site.sql(OIDS) == databases
    for task in ("plan", "deploy"):
        refused = site.fab(task, code=1)
        assert f"the fleet runs Airflow {NEW}, and {PATCH} is older" in refused.err, refused.text
    now_is(site, NEW, SHIPPED)
    site.nothing_to_do("deploy")
    runs_on(site, NEW)


def test_the_way_back_leaves_the_database_as_it_is(site: Site) -> None:
    ended, old = start_the_long_task(site), site.folder / f"{PATCH}.txt"
    runs = site.sql("SELECT count(*) FROM dag_run WHERE state = 'success'")
    done = site.fab("upgrade", "--back", f"--lock={old}", "--yes")
    print(done.err)
    assert "the database stays, and nothing is lost" in done.text
    wait("the task ends", lambda: site.sql(LONG) == [["success", "1"]])
    assert slept(site) == ended + 1
    assert int(site.sql("SELECT count(*) FROM dag_run WHERE state = 'success'")[0][0]) >= int(runs[0][0])
    now_is(site, PATCH, old)
    site.nothing_to_do("deploy")
    runs_on(site, PATCH)
    assert "no upgrade is recorded" in site.fab("upgrade", "--back", "--yes", code=1).err


def test_a_worker_that_does_not_start_leads_back(site: Site) -> None:
    condition = f"case $(readlink /opt/aerodrome/airflow/venv) in */{NEW}-*) exit 1 ;; esac"
    site.sh(
        DEBIAN_13,
        f"printf '[Service]\\nExecStartPre=/bin/sh -c \"{condition}\"\\n' | sed 's/[$]/&&/' >{BROKEN}"
        " && systemctl daemon-reload",
    )
    try:
        done = site.fab(*upgrade("--yes"), code=1)
    finally:
        site.sh(DEBIAN_13, f"rm {BROKEN}; systemctl daemon-reload")
    print(done.err)
    assert "went back: everything is as it was before" in done.err
    site.nothing_to_do("deploy")
    runs_on(site, PATCH)


@pytest.mark.parametrize("goes", ["on", "back"])
def test_a_killed_controller(site: Site, goes: str) -> None:
    process, old = site.start(*upgrade("--yes")), site.folder / f"{PATCH}.txt"
    assert process.stderr
    for line in process.stderr:
        if line.startswith("scheduler  ("):
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = site.fab("deploy", code=1)
    assert f"an upgrade from Airflow {PATCH} to {NEW} was begun, and has not been finished" in refused.err, refused.text
    back = ("upgrade", "--back", f"--lock={old}", "--yes")
    done = site.fab(*(upgrade() if goes == "on" else back))
    print(done.err)
    if goes == "on":
        now_is(site, NEW, SHIPPED)
        site.nothing_to_do("deploy")
        runs_on(site, NEW)
        site.fab(*back)
        now_is(site, PATCH, old)
    site.nothing_to_do("deploy")
    runs_on(site, PATCH)


def test_another_minor_version_is_migrated(lab: Lab) -> None:
    site = raised(lab, MINOR, {**TWO, **REDIS_ROLE})
    ended, began = start_the_long_task(site), time.monotonic()
    done = site.fab(*upgrade("--yes"))
    print(f"{time.monotonic() - began:.0f} s", done.text)
    assert "expected downtime: about " in done.text and "no migration" not in done.text
    assert site.sql(LONG) == [["success", "1"]] and slept(site) == ended + 1
    assert site.sql(FAILED) == []
    now_is(site, NEW, SHIPPED)
    site.nothing_to_do("deploy")
    runs_on(site, NEW)
    site.fab("upgrade", "--back", f"--lock={site.folder}/{MINOR}.txt", "--yes")
    now_is(site, MINOR, site.folder / f"{MINOR}.txt")
    site.nothing_to_do("deploy")
    runs_on(site, MINOR)
