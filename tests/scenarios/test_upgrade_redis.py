"""`fab upgrade` with Redis as the broker, two schedulers, two workers, and a deferred task."""

from __future__ import annotations

import shutil
import time
from functools import partial

import pytest

from lab.fleet import Lab
from tests.real import wait
from tests.scenarios.conftest import DAGS, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import DEBIAN_13, HEAD, REDIS_ROLE, WORKER, apart
from tests.scenarios.test_upgrade import DATABASES, LONG, NEW, OLD, now_is, slept, start_the_long_task

pytestmark = pytest.mark.slow

SCENARIO = apart("upgrade-redis", OLD, {"scheduler": (HEAD, WORKER), "worker": (WORKER, DEBIAN_13), **REDIS_ROLE})
DEFERRED = "SELECT task_id, state FROM task_instance WHERE dag_id = 'deferring' ORDER BY task_id DESC"
RESUMED = "cat /usr/local/airflow/logs/resumed 2>/dev/null || :"


def test_nothing_is_lost(lab: Lab) -> None:
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    folder = site.folder / "upgraded-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    for name in ("upgraded.py", "deferring.py"):
        shutil.copy(DAGS.with_name("more_dags") / name, folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.fab("deploy")
    for dag in ("takes_long", "every_minute", "deferring"):
        wait(f"{dag} is known", partial(site.sql, f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"))
        site.fab("airflow", f"dags unpause {dag}")
    site.fab("airflow", "dags trigger deferring")
    wait("the task is deferred", lambda: ["wait", "deferred"] in site.sql(DEFERRED))
    ended = start_the_long_task(site)

    began = time.monotonic()
    done = site.fab("upgrade", f"--to={NEW}", "--yes")
    print(f"{time.monotonic() - began:.0f} s", done.err)
    assert site.sql(LONG) == [["success", "1"]] and slept(site) == ended + 1
    now_is(site, NEW)
    site.nothing_to_do("deploy")
    wait(
        "the deferred task goes on and ends", lambda: site.sql(DEFERRED) == [["wait", "success"], ["after", "success"]]
    )
    assert sum(len(site.sh(host, RESUMED).split()) for host in (WORKER, DEBIAN_13)) == 1
    run_the_dag(site)

    site.fab("upgrade", "--back", "--yes")
    now_is(site, OLD)
    site.nothing_to_do("deploy")
    assert site.sql(DATABASES)[0] == ["airflow"]
    run_the_dag(site)
