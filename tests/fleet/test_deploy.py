"""From bare hosts to a healthy fleet, and then nothing left to do."""

from __future__ import annotations

import json

import pytest

from tests.fleet.conftest import HOSTS, Fleet

ROLES = {
    ("db1", "database"),
    ("sched1", "scheduler"),
    ("sched1", "dag-processor"),
    ("sched1", "triggerer"),
    ("web1", "webserver"),
    ("worker1", "worker"),
    ("worker2", "worker"),
}


def test_the_first_deploy_ends_healthy(deployed: Fleet) -> None:
    rows = json.loads(deployed.fab("status", "--json").out)

    assert {(row["host"], row["role"]) for row in rows} == ROLES
    assert all(row["healthy"] and row["restarts"] == 0 for row in rows), rows
    assert {row["version"] for row in rows if row["role"] != "database"} == {"3.3.2"}


def test_status_shows_the_version_that_processes_run_whatever_the_link_names(deployed: Fleet) -> None:
    """A process keeps its environment, as in the middle of an upgrade that was killed."""
    folder, other = "/opt/aerodrome/airflow", "9.9.9-py3.11-0123456789ab"
    link = deployed.sh("sched1", f"readlink {folder}/venv").strip()
    deployed.sh("sched1", f"ln -s {link} {folder}/venvs/{other}; ln -sfn {folder}/venvs/{other} {folder}/venv")
    try:
        rows = json.loads(deployed.fab("-H", "sched1", "status", "--json").out)
    finally:
        deployed.sh("sched1", f"ln -sfn {link} {folder}/venv; rm {folder}/venvs/{other}")
    assert {row["version"] for row in rows} == {"3.3.2"}


def test_the_stages_come_in_order(deployed: Fleet) -> None:
    assert deployed.first is not None
    lines = deployed.first.err.splitlines()
    told = [line for line in lines if line.endswith(" s)") and not line.startswith((" ", "waiting for "))]
    stages = [line.split()[0] for line in told]

    assert stages == ["machines", "scheduler", "schedulers", "webservers", "workers"]


def test_only_the_first_scheduler_migrates(deployed: Fleet) -> None:
    for host in HOSTS[1:]:
        found = deployed.lab.run(host, "cat /etc/systemd/system/airflow@*.d/*.conf").stdout
        assert ("ExecStartPre=/opt/aerodrome/airflow/venv/bin/airflow db migrate" in found) == (host == "sched1")


def test_a_second_deploy_changes_nothing_and_asks_each_host_at_most_three_times(fleet: Fleet) -> None:
    before = fleet.started()
    for host in HOSTS:  # the server itself counts the execs
        fleet.sh(host, "echo 'LogLevel VERBOSE' >/etc/ssh/sshd_config.d/count.conf; systemctl reload ssh; sleep 1")
    try:
        mark = fleet.sh("db1", "date '+%Y-%m-%d %H:%M:%S'").strip()
        fleet.nothing_to_do("deploy")
        for host in HOSTS:
            journal = fleet.sh(host, f"journalctl -q --no-pager -u ssh --since '{mark}'")
            execs = journal.count("Starting session: command")
            assert 1 <= execs <= 3, f"{host}: {execs} execs\n{journal}"
            assert journal.count("Accepted publickey") == 1, f"{host}: more than one connection\n{journal}"
    finally:
        for host in HOSTS:
            fleet.sh(host, "rm /etc/ssh/sshd_config.d/count.conf; systemctl reload ssh")

    assert fleet.started() == before


def test_plan_has_nothing_and_says_so_with_its_exit_code(fleet: Fleet) -> None:
    assert fleet.fab("plan").err.splitlines()[-1] == "no changes"
    assert json.loads(fleet.fab("plan", "--json").out) == [{"host": host, "changes": []} for host in HOSTS]


def test_a_role_or_a_host_alone_has_nothing_to_do_either(fleet: Fleet) -> None:
    for arguments in (["deploy", "--role=worker"], ["-H", "worker2", "deploy"], ["-H", "web1", "roles.webserver"]):
        fleet.nothing_to_do(*arguments)


def test_a_setting_changed_restarts_what_reads_it_one_worker_at_a_time(fleet: Fleet) -> None:
    before = fleet.started()
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: winter}\n")

    planned = fleet.fab("plan", code=2)
    assert planned.out.count("+SEASON=winter") == 4
    assert planned.out.count("restart airflow@") == 6
    assert fleet.started() == before  # plan changes nothing

    done = fleet.fab("deploy", "--role=worker")
    lines = [line for line in done.err.splitlines() if "restart airflow@worker" in line or "healthy" in line]
    assert [line.split()[0] for line in lines] == ["worker1", "worker1", "worker2", "worker2"], done.err
    after = fleet.started()
    changed = {key for key in before if after[key] != before[key]}
    assert changed == {("worker1", "airflow@worker.service"), ("worker2", "airflow@worker.service")}
    fleet.nothing_to_do("deploy", "--role=worker")
    assert started_after_its_environment(fleet, "worker1")

    fleet.change("  environment: {SEASON: winter}\n", "")
    fleet.fab("deploy")
    fleet.nothing_to_do("deploy")


def test_a_worker_that_is_added_is_set_up_and_nothing_else_restarts(fleet: Fleet) -> None:
    before = fleet.started()
    fleet.lab.up_host("worker3")
    try:
        address = fleet.lab.address("worker3")
        known = fleet.hosts_yaml.with_name("known_hosts").read_text()
        assert address in known
        fleet.change(
            "  worker2:\n", f"  worker3:\n    address: {address}\n    worker: {{concurrency: 1}}\n  worker2:\n"
        )
        fleet.change("worker: [worker1, worker2]", "worker: [worker1, worker2, worker3]")

        fleet.fab("deploy")
        fleet.nothing_to_do("deploy")

        assert fleet.started() == before
        assert f"{address}/32 scram-sha-256" in fleet.sh("db1", "cat /etc/postgresql/*/main/pg_hba.conf")
        rows = json.loads(fleet.fab("status", "--json", "--role=worker").out)
        assert [row["host"] for row in rows if row["healthy"]] == ["worker1", "worker3", "worker2"]
    finally:
        fleet.lab.down_host("worker3")


def started_after_its_environment(fleet: Fleet, host: str) -> bool:
    """Tell whether a worker has read its environment file since it was written (Celery overwrites its environ)."""
    times = fleet.sh(
        host,
        "stat -c %Y /etc/default/airflow; "
        'date -d "$(systemctl show -p ExecMainStartTimestamp --value airflow@worker)" +%s',
    )
    written, started = map(int, times.split())
    return started >= written


@pytest.fixture(autouse=True, scope="module")
def put_back(deployed: Fleet) -> object:
    """Remove an added worker from the fleet again."""
    text = deployed.hosts_yaml.read_text()
    yield
    deployed.hosts_yaml.write_text(text)
    deployed.fab("deploy")
