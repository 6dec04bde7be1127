"""Airflow 3: credentials that a DAG author finds on a worker's host, and the access that they give."""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import pytest
import yaml

from lab.fleet import Lab
from tests.real import PASSWORD, wait
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import HEAD, REDIS_ROLE, WORKER, Scenario, apart

SCENARIOS = (
    apart("3.3.2-credentials-postgresql", "3.3.2"),
    apart("3.3.2-credentials-redis", "3.3.2", {**REDIS_ROLE, "redis": (HEAD,)}),
)
# The password as encoded in a URL.
ENCODED = "p%40ss%2Fw%25rd%3A%24%20%27%22%5C%C3%A9%23%3B"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=[pytest.param(each, id=each.name) for each in SCENARIOS])
def site(request: pytest.FixtureRequest, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A fleet as it was before Celery was separate: broker and results in the metadata database, or results only."""
    scenario: Scenario = request.param
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    folder = tmp_path_factory.mktemp("credentials") / "dags"
    shutil.copytree(DAGS, folder)
    for name in ("looks_around.py", "many_at_once.py"):
        shutil.copy(DAGS.with_name("more_dags") / name, folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    # They have different passwords, because the test looks for the metadata database's.
    site.hosts_yaml.write_text(re.sub("broker: .*\n", "", site.hosts_yaml.read_text()) + "broker: {separate: false}\n")
    site.fab("deploy")
    site.fab("airflow", "variables set colour green")
    site.fab("airflow", "connections add there --conn-type http --conn-host x --conn-password swordfish")
    return site


def run(site: Site, dag: str) -> str:
    """Trigger a DAG; return an SQL condition for the task instances of that run."""
    wait(f"{dag} is known", lambda: site.sql(f"SELECT 1 FROM dag WHERE dag_id = '{dag}'"))
    site.fab("airflow", f"dags unpause {dag}")
    site.fab("airflow", f"dags trigger {dag}")
    ((run_id,),) = site.sql(f"SELECT run_id FROM dag_run WHERE dag_id = '{dag}' ORDER BY id DESC LIMIT 1")
    return f"dag_id = '{dag}' AND run_id = '{run_id}'"


def await_success(site: Site, of: str) -> None:
    def ended() -> list[list[str]]:
        found = site.sql(f"SELECT state FROM dag_run WHERE {of} AND state IN ('success', 'failed')")
        assert found != [["failed"]]
        return found

    wait(f"success of {of}", ended)


def look_around(site: Site) -> dict[str, Any]:
    """Let a task look for credentials; return its findings."""
    await_success(site, run(site, "looks_around"))
    found: dict[str, Any] = json.loads(site.sh(WORKER, "cat /usr/local/airflow/logs/looked-around.json"))
    return found


def not_for_workers(site: Site) -> dict[str, str]:
    """Return the secrets that no worker's host may have, by name."""
    kept = yaml.safe_load((site.folder / "secrets.yaml").read_text())
    return {"password": PASSWORD, "URL": ENCODED, "Fernet": kept["fernet_key"], "JWT": kept["jwt_secret"]}


# List the files and processes in which a line of the file `patterns` occurs.
LOOK = """\
grep -rlFaf /run/patterns --exclude-dir=proc --exclude-dir=sys --exclude=patterns / 2>/dev/null
for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do
! tr '\\0' '\\n' 2>/dev/null <"$file" | grep -qFf /run/patterns || echo "$file"
done
rm /run/patterns"""


def places(site: Site, host: str, secrets: list[str]) -> set[str]:
    """Return the files and processes of a host that contain one of these."""
    # In a separate file: the searching shell must not have them in its command line.
    patterns = "\n".join(secrets)
    site.sh(host, f"umask 077; cat >/run/patterns <<'END'\n{patterns}\nEND")
    return set(site.sh(host, LOOK).splitlines())


def test_with_broker_and_results_in_the_metadata_database_a_task_opens_it(site: Site) -> None:
    found = look_around(site)
    assert found["tried"] == {"airflow airflow": "in"}
    hba = site.sh(HEAD, "cat /etc/postgresql/*/main/pg_hba.conf")
    assert f'host "airflow" "airflow" {site.lab.address(WORKER)}/32 scram-sha-256' in hba
    # Even so, a worker has only what it needs.
    given = {name: value for name, value in found["environment"].items() if "not-allowed" not in value}
    assert not [name for name in given if re.search("FERNET|JWT|DATABASE__SQL", name)]
    # The search below finds the secrets where they are.
    secrets = not_for_workers(site)
    for name, secret in secrets.items():
        site.sh(WORKER, f"umask 077; cat >'/var/tmp/planted {name}' <<'END'\nx{secret}x\nEND")
    there = places(site, WORKER, list(secrets.values()))
    assert {f"/var/tmp/planted {name}" for name in secrets} <= there
    assert "/etc/default/airflow-worker" in there
    assert any(re.fullmatch("/proc/[0-9]+/environ", path) for path in there)
    site.sh(WORKER, "rm /var/tmp/planted*")


def moves(site: Site) -> str:
    what = "results" if "redis" in site.scenario.roles else "broker and results"
    return f"Celery's {what} move; broker.separate: false keeps them where they are"


def queue_more_than_fits(site: Site) -> str:
    """Let two tasks run and two wait in the broker; return an SQL condition for all of them."""
    of = run(site, "many_at_once")
    states = f"SELECT state FROM task_instance WHERE {of} ORDER BY state"
    wait("tasks that run and others that wait", lambda: site.sql(states) == [["queued"]] * 2 + [["running"]] * 2)
    return of


def test_a_part_of_a_fleet_does_not_move_alone(site: Site) -> None:
    site.change("broker: {separate: false}\n", "")
    before = site.started()
    for command in (("-H", WORKER, "deploy"), ("deploy", "--role=worker"), ("node.environment",)):
        done = site.fab(*command, code=1)
        assert f"{moves(site)}, which would leave the rest of the fleet behind" in done.err, done.text
    assert site.started() == before


def test_tasks_that_do_not_end_in_time_keep_a_fleet_as_it_is(site: Site) -> None:
    of = queue_more_than_fits(site)
    site.change("deploy: {", "deploy: {drain_timeout: 5, ")
    done = site.fab("deploy", code=1)
    assert re.search("4 tasks are queued or running after 5 s .*\n.*schedulers start again", done.err), done.text
    assert "still 2 running and 2 queued: many_at_once.part_" in done.err
    assert f"this was because {moves(site)}" in done.err
    site.change("drain_timeout: 5, ", "")
    # Everything continues where it was.
    await_success(site, of)
    rows = site.sql(f"SELECT state, try_number FROM task_instance WHERE {of}")
    assert rows == [["success", "1"]] * 4


def test_a_fleet_that_runs_moves_and_no_queued_task_is_lost(site: Site) -> None:
    of = queue_more_than_fits(site)
    plan = site.fab("plan", code=2).out
    assert f"stop airflow@scheduler.service ({moves(site)})" in plan
    assert "wait until no task is queued or running, at most 600 s" in plan
    done = site.fab("deploy")

    assert "waiting for 2 running and 2 queued: many_at_once.part_0" in done.err
    order = [done.err.index(f"stop airflow@{role}.service ({moves(site)})") for role in ("scheduler", "worker")]
    assert order == sorted(order)
    assert re.search(r"take 1 line for logins that no longer exist from", done.err)
    # All of them finished in the old place before anything started again.
    ((late,),) = site.sql(f"SELECT max(end_date) > now() - interval '5 s' FROM task_instance WHERE {of}")
    assert late == "f"
    await_success(site, of)
    rows = site.sql(f"SELECT state, try_number, hostname FROM task_instance WHERE {of}")
    assert rows == [["success", "1", WORKER]] * 4
    site.nothing_to_do("deploy")
    run_the_dag(site)
    assert site.sql("SELECT 1 FROM task_instance WHERE state IN ('queued', 'running')") == []


def test_a_task_finds_no_way_into_the_metadata_database(site: Site) -> None:
    found = look_around(site)
    if "redis" in site.scenario.roles:
        assert found["tried"] == {}
    else:
        assert found["tried"]["airflow_celery airflow_celery"] == "in"
        refused = found["tried"]["airflow_celery airflow"]
        assert "no pg_hba.conf entry for host" in refused
    assert found["session"] != "in"
    text = json.dumps([found["environment"], found["processes"]])
    for name, secret in not_for_workers(site).items():
        assert json.dumps(secret)[1:-1] not in text, name
    assert len(found["processes"]) > 2  # the worker's own environment was among them
    # Through the task API it gets what it may have.
    assert (found["variable"], found["connection"]) == ("green", "swordfish")


def test_nothing_on_a_workers_host_has_what_it_does_not_need(site: Site) -> None:
    secrets = list(not_for_workers(site).values())
    assert places(site, WORKER, secrets) == set()
    # The same search finds them where they belong.
    there = places(site, HEAD, secrets)
    assert "/etc/default/airflow-scheduler" in there
    assert any(path.startswith("/proc/") for path in there)
    assert not {"/etc/default/airflow", "/etc/default/airflow-worker"} & there


def test_queued_messages_are_not_in_a_backup_of_the_metadata_database(site: Site) -> None:
    if "redis" in site.scenario.roles:
        assert site.sql("SELECT 1 FROM pg_database WHERE datname = 'airflow_celery'") == []
        return
    tables = site.sh(HEAD, "runuser -u postgres -- psql -XAtqd airflow_celery -c '\\dt' | cut -d'|' -f2").split()
    assert {"kombu_message", "celery_taskmeta"} <= set(tables)
    public = "has_database_privilege('public', datname, 'CONNECT')"
    assert site.sql(f"SELECT {public} FROM pg_database WHERE datname LIKE 'airflow%'") == [["f"], ["f"]]


def test_all_is_healthy_and_a_lost_worker_is_seen(site: Site) -> None:
    rows = json.loads(site.fab("status", "--json").out)
    assert all(row["healthy"] for row in rows), rows
    site.sh(WORKER, "systemctl stop airflow@worker")
    assert site.fab("status", "--role=worker", code=1)
    site.fab("start")


FILES = "find /etc/default/airflow* /etc/systemd/system/airflow* -type f -exec grep -H ^ {} +"


def settings(site: Site) -> dict[str, str]:
    """Return the environment with which each host's units are started."""
    return {host: site.sh(host, FILES) for host in site.hosts}


def test_redis_moves_only_once_its_users_have_ended_their_tasks(site: Site) -> None:
    if "redis" not in site.scenario.roles:
        return
    text = site.hosts_yaml.read_text()
    of = queue_more_than_fits(site)
    site.hosts_yaml.write_text(f"{text}broker: {{port: 6380}}\n")
    for command in (("-H", HEAD, "deploy"), ("deploy", "--role=redis"), ("setup-redis",)):
        done = site.fab(*command, code=1)
        assert "redis.server: Redis would restart to listen on" in done.err, done.text
        assert "fab deploy for the whole fleet" in done.err

    done = site.fab("deploy")

    order = ("wait until no task is queued or running", "stop airflow@worker.service", "restart airflow-redis.service")
    places = [done.err.index(words) for words in order]
    assert places == sorted(places)
    await_success(site, of)
    rows = site.sql(f"SELECT state, try_number, hostname FROM task_instance WHERE {of}")
    assert rows == [["success", "1", WORKER]] * 4
    site.nothing_to_do("deploy")
    run_the_dag(site)


def test_a_move_back_for_which_tasks_do_not_end_in_time_changes_nothing(site: Site) -> None:
    text, before = site.hosts_yaml.read_text(), settings(site)
    worker = site.started()[WORKER, "airflow@worker.service"]
    of = queue_more_than_fits(site)
    move_back(site)
    done = site.fab("deploy", code=1)
    assert "4 tasks are queued or running after 5 s" in done.err
    assert "still 2 running and 2 queued: many_at_once.part_" in done.err
    assert settings(site) == before
    assert site.started()[WORKER, "airflow@worker.service"] == worker
    assert site.sh(HEAD, "systemctl is-active airflow@scheduler").strip() == "active"
    site.hosts_yaml.write_text(text)
    await_success(site, of)
    rows = site.sql(f"SELECT state, try_number FROM task_instance WHERE {of}")
    assert rows == [["success", "1"]] * 4
    site.fab("deploy")  # access that was opened for a move in the database is closed again
    site.nothing_to_do("deploy")


def test_with_force_the_move_continues_and_killed_tasks_are_reported(site: Site) -> None:
    of = queue_more_than_fits(site)
    move_back(site)
    # So that Airflow finds out soon; by default, it takes 5 and 10 minutes. It queues a task again only twice: the
    # worker has to be up by then.
    soon = "task_instance_heartbeat_timeout: 30, task_queued_timeout: 120, task_queued_timeout_check_interval: 5"
    site.change("scheduler: {", f"scheduler: {{{soon}, ")
    done = site.fab("deploy", "--force")
    assert "after 5 s; --force continues" in done.err
    assert "until then they count towards core.parallelism" in done.err
    assert re.search(rf"{WORKER} .*killed 2 running tasks: ", done.err), done.text
    assert ENCODED in site.sh(WORKER, "cat /etc/default/airflow-worker")  # it knows the metadata database again
    site.nothing_to_do("deploy")
    # The scheduler has adopted all four, which is as many as core.parallelism allows: it starts nothing else until it
    # has failed the killed ones. If the broker has moved, it queues the others again.
    run_the_dag(site)
    wait("the run's end", lambda: site.sql(f"SELECT 1 FROM dag_run WHERE {of} AND state = 'failed'"))
    rows = site.sql(f"SELECT state, hostname FROM task_instance WHERE {of} ORDER BY state")
    assert rows == [["failed", WORKER]] * 2 + [["success", WORKER]] * 2


def move_back(site: Site) -> None:
    """Move broker and results back into the metadata database, with a short drain timeout."""
    text = re.sub("broker: .*\n", "", site.hosts_yaml.read_text())
    port = "port: 6380, " if "redis" in site.scenario.roles else ""
    site.hosts_yaml.write_text(f"{text}broker: {{{port}separate: false}}\n")
    site.change("deploy: {", "deploy: {drain_timeout: 5, ")
