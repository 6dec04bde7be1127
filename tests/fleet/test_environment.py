"""Another lock file: all DAGs are imported with the new environment before any node uses it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.conftest import HOSTS, Fleet
from tests.real import PROJECT

NODES = HOSTS[1:]
LINK = "readlink /opt/aerodrome/airflow/venv"
RECORD = "cat /run/aerodrome/dag-imports/run 2>/dev/null || :"
GONE = "apache-airflow-providers-redis"  # no other package needs it
NEEDS = "from airflow.providers.redis.hooks.redis import RedisHook\n"


@pytest.fixture
def lock(fleet: Fleet, tmp_path: Path) -> Iterator[None]:
    """A lock file in hosts.yaml without one of the packages; the shipped one is used again afterwards."""
    shipped, text = (PROJECT / "locks" / "airflow-3.3.2-py3.11.txt").read_text(), fleet.hosts_yaml.read_text()
    other = tmp_path / "other.txt"
    other.write_text(re.sub(rf"^{GONE}==.*\n(?:    .*\n)+", "", shipped, flags=re.MULTILINE))
    assert len(other.read_text()) < len(shipped)
    fleet.change("  # lock: locks/mine.txt", f"  lock: {other}\n  # lock: locks/mine.txt")
    yield
    fleet.hosts_yaml.write_text(text)
    fleet.fab("deploy", "--allow-import-errors")


@pytest.fixture
def needed(fleet: Fleet, lock: None, tmp_path: Path) -> None:
    """A DAG that needs that package, and one that does not."""
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "fine.py").write_text("from airflow.sdk import DAG\ndag = DAG('fine')\n")
    (dags / "needs.py").write_text(f"{NEEDS}from airflow.sdk import DAG\ndag = DAG('needs')\n")
    fleet.change(f"  dags: {PROJECT}/examples/dags", f"  dags: {dags}")
    fleet.fab("deploy-dags")


def links(fleet: Fleet) -> set[str]:
    return {fleet.sh(host, LINK).strip() for host in NODES}


def test_errors_that_are_new_stop_it_before_anything_uses_the_environment(fleet: Fleet, needed: None) -> None:
    before, started = links(fleet), fleet.started()
    records = [fleet.sh(host, RECORD) for host in NODES]
    plan = fleet.fab("plan", code=2).out
    assert plan.count("node.imports: import every DAG with environment 3.3.2-py3.11-") == len(NODES)
    assert plan.count(
        "node.link: link /opt/aerodrome/airflow/venv to /opt/aerodrome/airflow/venvs/3.3.2-py3.11-"
    ) == len(NODES)

    for attempt in range(2):  # the second time, nothing is left to be installed
        done = fleet.fab("deploy", code=1)
        for host in NODES:
            assert (
                f"{host}: node.imports: 1 of 2 DAG files can be imported by the environment in use, but not by the new"
                in done.err
            ), done.text
        assert "needs.py: ModuleNotFoundError: No module named 'airflow.providers.redis'" in done.err
        assert "--allow-import-errors" in done.err
        assert not attempt or "install Airflow" not in done.err, done.err
        assert "restart" not in done.err and "settings" not in done.err, done.err
        assert (links(fleet), fleet.started()) == (before, started)
    assert all(now != was for now, was in zip([fleet.sh(host, RECORD) for host in NODES], records, strict=True))

    done = fleet.fab("-H", "worker1", "deploy", code=1)  # about the environment that this run changes
    assert "worker1: node.imports: " in done.err and "sched1" not in done.err, done.err

    done = fleet.fab("deploy", "--allow-import-errors")
    print(done.err)
    assert links(fleet).isdisjoint(before) and len(links(fleet)) == 1
    stages = [line.partition("  (")[0] for line in done.err.splitlines() if re.match(r"\w+  \(\d+ s\)$", line)]
    assert stages == ["DAGs", "settings", "scheduler", "schedulers", "webservers", "workers"], done.err
    assert done.err.count("note: the environment in use imports 2 DAGs, the new one imports 1") == len(NODES), done.err
    assert done.err.count("restart airflow@worker.service (/opt/aerodrome/airflow/venv") >= 2, done.err
    fleet.nothing_to_do("deploy")
    after = fleet.started()
    fleet.nothing_to_do("deploy", "--allow-import-errors")
    assert fleet.started() == after


def test_one_host_alone_and_back(fleet: Fleet, lock: None) -> None:
    before, text = links(fleet), fleet.hosts_yaml.read_text()
    done = fleet.fab("-H", "worker2", "deploy")
    assert re.search(
        r"worker2 +note: the environment in use imports (\d+) DAGs, the new one imports \1$", done.err, re.M
    )
    assert fleet.sh("worker2", LINK).strip() not in before
    assert {fleet.sh(host, LINK).strip() for host in NODES if host != "worker2"} == before
    fleet.nothing_to_do("-H", "worker2", "deploy")
    fleet.hosts_yaml.write_text(text.replace("  lock: ", "  # lock: "))
    fleet.fab("-H", "worker2", "deploy")
    assert links(fleet) == before
    fleet.nothing_to_do("deploy")
