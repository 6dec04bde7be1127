"""Units that are stopped, started and restarted by hand, and their journals."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fleet.conftest import HOSTS, Fleet
from tests.fleet.rest import log_in
from tests.real import wait

WORKERS = ("worker1", "worker2")
UNIT = "airflow@worker.service"


@pytest.fixture(autouse=True)
def put_back(fleet: Fleet) -> object:
    """Start units again that a failed test has left stopped."""
    yield
    if fleet.start("status").wait():
        fleet.fab("start")


def moments(fleet: Fleet, host: str) -> dict[str, float]:
    """Return when a worker's unit last stopped and started, in seconds; all hosts have this machine's clock."""
    properties = "ActiveEnterTimestampMonotonic,InactiveEnterTimestampMonotonic"
    shown = fleet.sh(host, f"systemctl show -p {properties} {UNIT}")
    return {line.split("=")[0].partition("Enter")[0]: int(line.split("=")[1]) / 1e6 for line in shown.splitlines()}


def rows(fleet: Fleet, *arguments: str, code: int = 0) -> list[dict[str, object]]:
    found = json.loads(fleet.fab("status", "--json", *arguments, code=code).out)
    assert isinstance(found, list)
    return found


def test_workers_stop_status_says_so_and_they_start_again(fleet: Fleet) -> None:
    before = fleet.started()

    stopped = fleet.fab("stop", "--role=worker")
    assert stopped.err.count(f"stop {UNIT}") == 2
    fleet.nothing_to_do("stop", "--role=worker")

    status = fleet.fab("status", code=1).out
    assert [line.split()[0] for line in status.splitlines() if "NOT HEALTHY" in line] == list(WORKERS)
    assert [row["host"] for row in rows(fleet, code=1) if not row["healthy"]] == list(WORKERS)
    assert {row["active"] for row in rows(fleet, "--role=worker", code=1)} == {"inactive"}
    for host in WORKERS:  # they are stopped for now: a worker starts again with its machine
        assert fleet.sh(host, f"systemctl is-enabled {UNIT}").strip() == "enabled"

    started = fleet.fab("start")
    assert sorted(re.findall(r"^  (\w+) +roles\.worker +healthy", started.err, re.MULTILINE)) == list(WORKERS)
    fleet.nothing_to_do("start")
    assert all(row["healthy"] for row in rows(fleet))
    after = fleet.started()
    assert {key for key in before if after[key] != before[key]} == {(host, UNIT) for host in WORKERS}


def test_a_restart_is_rolling(fleet: Fleet) -> None:
    before = fleet.started()

    done = fleet.fab("restart", "--role=worker")

    told = [line for line in done.err.splitlines() if not line.startswith("waiting for")]
    lines = [line.split()[:4] for line in told if "roles.worker" in line]
    assert [(line[0], line[2].rstrip(":")) for line in lines] == [
        ("worker1", "restart"),
        ("worker1", "healthy"),
        ("worker2", "restart"),
        ("worker2", "healthy"),
    ]
    # Not only by fab's output: the second one stopped when the first had been up long enough to be healthy.
    assert moments(fleet, "worker2")["Inactive"] >= moments(fleet, "worker1")["Active"] + 7
    after = fleet.started()
    assert {key for key in before if after[key] != before[key]} == {(host, UNIT) for host in WORKERS}
    assert all(row["healthy"] and row["restarts"] == 0 for row in rows(fleet))
    fleet.nothing_to_do("deploy")


SLOW = """\
from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG("slow", start_date=datetime(2026, 1, 1), schedule=None, catchup=False):
    BashOperator(task_id="sleep", bash_command="echo asleep; sleep 20; echo awake again", queue="reports")
"""


@pytest.fixture
def slow(fleet: Fleet, tmp_path: Path) -> object:
    """The DAG `slow` on the fleet, next to the others."""
    text = fleet.hosts_yaml.read_text()
    folder = re.search(r"^  dags: (\S+)", text, re.MULTILINE)
    assert folder
    shutil.copytree(folder[1], tmp_path / "dags")
    (tmp_path / "dags" / "slow.py").write_text(SLOW)
    fleet.change(folder[0], f"  dags: {tmp_path}/dags")
    fleet.fab("deploy-dags")
    # The DAG processor looks for new files every five minutes: make it look now.
    fleet.fab("airflow", "dags reserialize")
    yield
    fleet.hosts_yaml.write_text(text)
    fleet.fab("deploy-dags")
    fleet.fab("airflow", "dags delete --yes slow")


def test_a_task_that_runs_while_its_worker_restarts_ends_well(fleet: Fleet, slow: object) -> None:
    api = log_in(fleet)
    api.unpause("slow")
    run = api.trigger("slow")
    wait("the task runs", lambda: api.tasks("slow", run)["sleep"].state == "running")
    wait("it is asleep", lambda: "asleep" in api.log("slow", run, "sleep"))
    old = fleet.started()["worker2", UNIT]

    began = time.monotonic()
    fleet.fab("-H", "worker2", "restart", "--role=worker")

    assert time.monotonic() - began > 10  # it has been waited for
    assert fleet.started()["worker2", UNIT] != old
    assert api.await_end("slow", run) == "success"
    task = api.tasks("slow", run)["sleep"]
    assert (task.hostname, task.try_number, task.state) == ("worker2", 1, "success")
    assert "awake again" in api.log("slow", run, "sleep")


def test_status_says_that_a_worker_s_logs_cannot_be_read(fleet: Fleet) -> None:
    fleet.sh("web1", "sed -i '/ worker2$/d' /etc/hosts")
    try:
        found = {row["host"]: row for row in rows(fleet, code=1) if not row["healthy"]}
        assert list(found) == ["web1"]
        detail = str(found["web1"]["detail"])
        assert detail.endswith('; cannot read task logs of worker2: web1 does not resolve "worker2"'), detail
        assert "task logs of worker1" not in detail
    finally:
        fleet.fab("-H", "web1", "node.hosts")
    assert all(row["healthy"] for row in rows(fleet))


def test_what_hosts_yaml_does_not_have_is_shown_stopped_and_disabled(fleet: Fleet) -> None:
    left, other = "airflow@triggerer.service", "other@triggerer.service"
    before = fleet.started()
    fleet.sh(
        "web1",
        "sed 's/^ExecStart=.*/ExecStart=sleep 1000/' /etc/systemd/system/airflow@.service "
        "| tee /etc/systemd/system/other@.service; systemctl daemon-reload",
    )
    try:
        fleet.sh("web1", f"systemctl enable --now {left} {other}")
        plan = fleet.fab("plan", code=2)
        assert f"stop and disable {left} (no longer in hosts.yaml)" in plan.out
        (row,) = [row for row in rows(fleet, code=1) if not row["healthy"]]
        assert (row["host"], row["unit"], row["active"]) == ("web1", left, "active")
        assert str(row["detail"]).startswith("no longer in hosts.yaml")

        stopped = fleet.fab("-H", "web1", "stop", "--role=triggerer")
        assert f"stop {left}" in stopped.err
        assert fleet.lab.run("web1", f"systemctl is-active {left}").stdout.strip() == "inactive"

        done = fleet.fab("deploy")
        assert f"disable {left} (no longer in hosts.yaml)" in done.err
        assert fleet.lab.run("web1", f"systemctl is-enabled {left}").stdout.strip() == "disabled"
        fleet.nothing_to_do("deploy")
        states = fleet.lab.run("web1", f"systemctl is-active {other}; systemctl is-enabled {other}").stdout
        assert states.split() == ["active", "enabled"], "another service's units are left alone"
    finally:
        fleet.sh(
            "web1",
            f"systemctl disable --now {left} {other}; rm /etc/systemd/system/other@.service; systemctl daemon-reload",
        )
    assert fleet.started() == before
    assert all(row["healthy"] for row in rows(fleet))


def test_status_as_json(fleet: Fleet) -> None:
    found = rows(fleet)

    keys = {"host", "role", "unit", "active", "sub", "restarts", "since", "version", "healthy", "detail", "body"}
    assert all(set(row) == keys for row in found)
    by_role = {str(row["role"]): row for row in found}
    now = time.time()
    for row in found:
        assert (row["active"], row["healthy"], row["restarts"]) == ("active", True, 0), row
        assert isinstance(row["since"], int) and now - 86400 < row["since"] <= now + 1
    for role in ("scheduler", "dag-processor", "triggerer"):
        age = re.fullmatch(r"heartbeat (\d+) s ago", str(by_role[role]["detail"]))
        assert age and int(age[1]) <= 30
        assert by_role[role]["unit"] == f"airflow@{role}.service"
    body = by_role["webserver"]["body"]
    assert isinstance(body, dict) and body["metadatabase"]["status"] == "healthy"
    assert "log port 8793 answers" in str(by_role["worker"]["detail"])
    assert str(by_role["database"]["version"]).split(".")[0].isdigit()
    assert [row["host"] for row in rows(fleet, "--role=worker,webserver")] == ["web1", "worker1", "worker2"]
    assert [row["role"] for row in json.loads(fleet.fab("-H", "web1", "status", "--json").out)] == ["webserver"]


LOG_LINE = re.compile(r"(\w+) +([a-z-]+) +\| (\d{4}-\d\d-\d\dT[\d:.]+Z) \S+(\[\d+\])?: ")


def test_logs_come_with_host_and_role_in_the_order_of_time(fleet: Fleet) -> None:
    def labels(*arguments: str) -> list[tuple[str, str, str]]:
        found = [LOG_LINE.match(line) for line in fleet.fab("logs", *arguments).out.splitlines()]
        assert all(found)
        return [(match[1], match[2], match[3]) for match in found if match]

    of_workers = labels("--role=worker", "--lines=5")
    assert {host for host, *_ in of_workers} == {"worker1", "worker2"}
    of_all = labels("--lines=1")
    units = {(host, role) for host, role, _ in of_all}
    assert {("sched1", "scheduler"), ("sched1", "dag-processor"), ("sched1", "triggerer")} <= units
    assert {host for host, _ in units} == set(HOSTS)
    # A message may have several lines, all with the time of their entry.
    assert len({(host, role, time) for host, role, time in of_all}) == len(units)
    assert [time for *_, time in of_all] == sorted(time for *_, time in of_all)


def journals(fleet: Fleet) -> dict[str, str]:
    """Return the processes that follow a journal, by host."""
    found = {host: fleet.lab.run(host, "pgrep -a journalctl").stdout for host in HOSTS}
    return {host: processes for host, processes in found.items() if processes}


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_followed_logs_end_with_fab_and_leave_nothing_behind(fleet: Fleet, end: signal.Signals) -> None:
    follower = fleet.start("logs", "--follow", "--lines=0")
    try:
        wait("all hosts are followed", lambda: set(journals(fleet)) == set(HOSTS), 60)
        time.sleep(0.5)
        assert follower.poll() is None
        began = time.monotonic()
        follower.send_signal(end)
        out, err = follower.communicate(timeout=20)
        assert time.monotonic() - began < 10
    finally:
        follower.kill()
        follower.communicate()

    assert "Traceback" not in err
    if end != signal.SIGKILL:
        assert follower.returncode == 128 + end
        assert "interrupted" in err
    wait("no journalctl is left", lambda: not journals(fleet), 20)
    assert out == "" or LOG_LINE.match(out)


def test_new_entries_are_shown_immediately_while_followed(fleet: Fleet) -> None:
    follower = fleet.start("-H", "web1,worker2", "logs", "--follow", "--lines=1")
    try:
        assert follower.stdout
        os.set_blocking(follower.stdout.fileno(), False)
        shown: list[str] = []

        def says(pattern: str) -> bool:
            with suppress(BlockingIOError):
                shown.append(os.read(follower.stdout.fileno(), 1 << 16).decode())  # type: ignore[union-attr]
            return re.search(pattern, "".join(shown), re.MULTILINE) is not None

        wait(
            "both hosts' last lines",
            lambda: says(r"^web1    webserver +\| ") and says(r"^worker2 worker +\| "),
            60,
            pause=0.2,
        )
        # A line about the unit's process, which root may write (systemd.journal-fields(7), OBJECT_PID=).
        fleet.sh(
            "worker2",
            f"printf 'MESSAGE=said while followed\\nOBJECT_PID=%s\\n' $(systemctl show -p MainPID --value {UNIT}) "
            "| logger --journald",
        )
        wait("what was said", lambda: says(r"^worker2 worker +\| .*said while followed$"), 10, pause=0.2)
    finally:
        follower.send_signal(signal.SIGINT)
        follower.wait(timeout=20)
        for stream in (follower.stdout, follower.stderr):
            if stream:
                stream.close()


def test_workers_of_the_same_new_queues_start_at_once(fleet: Fleet) -> None:
    """Otherwise each would create the queues' rows in the broker, and one would fail on the other's (kombu 5.6.2)."""
    ours = fleet.hosts_yaml.read_text()
    queues = [f"new{number}" for number in range(20)]
    kept = "SELECT count(*) FROM kombu_queue WHERE name LIKE 'new%'"
    fleet.fab("stop", "--role=worker")
    for found in ("queues: [default]", "queues: [default, reports]"):
        fleet.change(found, f"{found[:-1]}, {', '.join(queues)}]")

    done = fleet.fab("deploy", "--role=worker")

    lines = [line.replace(":", "").split()[:3] for line in done.err.splitlines() if "roles.worker" in line]
    starts = [line[0] for line in lines if line[2] == "start"]
    assert sorted(starts) == list(WORKERS)
    assert max(lines.index([host, "roles.worker", "start"]) for host in WORKERS) < min(
        index for index, line in enumerate(lines) if line[2] == "healthy"
    ), done.err
    assert fleet.sh("db1", f'runuser -u postgres -- psql -XAtqd airflow_celery -c "{kept}"').strip() == str(len(queues))
    assert [row["restarts"] for row in rows(fleet, "--role=worker")] == [0, 0]

    fleet.hosts_yaml.write_text(ours)
    fleet.fab("deploy", "--role=worker")
    fleet.nothing_to_do("deploy")
