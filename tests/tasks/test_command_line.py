"""The command line: its tasks, and options that are refused before any host is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real import PROJECT
from tests.tasks.conftest import ONE, Fab

TASKS = {
    "airflow",
    "create-user",
    "demo",
    "deploy",
    "deploy-dags",
    "history",
    "releases",
    "backup",
    "backups.download",
    "backups.list",
    "backups.prune",
    "drill",
    "restore",
    "rollback-dags",
    "lab.down",
    "lab.status",
    "lab.up",
    "logs",
    "node.environment",
    "node.hosts",
    "node.install",
    "node.packages",
    "node.unit",
    "node.user",
    "node.venv",
    "pin",
    "lock.hold",
    "lock.pin",  # the default of lock: fab lock is the old name of fab pin
    "lock.release",
    "lock.status",
    "plan",
    "restart",
    "roles.dag-processor",
    "roles.scheduler",
    "roles.triggerer",
    "roles.webserver",
    "roles.worker",
    "run",
    "setup-db",
    "setup-node",
    "setup-redis",
    "start",
    "status",
    "stop",
    "trust-hosts",
    "undo",
    "upgrade.finish",
    "upgrade.run",  # the default of upgrade: fab upgrade
}


def test_every_task_is_listed_with_what_it_does(fab: Fab) -> None:
    listed = fab("--list")
    assert listed.code == 0
    lines = [line.split(None, 1) for line in listed.out.splitlines() if line.startswith("  ") and line[2:3] != " "]
    assert {name for name, *_ in lines} == TASKS
    assert [name for name, *help in lines if not help] == []


def test_the_list_needs_no_hosts_yaml(fab: Fab, hosts: Path) -> None:
    hosts.write_text("no: [yaml")
    assert fab("--list").code == 0
    assert fab("--complete", "--", "fab", "depl").code == 0


# Invoke takes the help out of a task when it is first asked for its arguments, so the tasks have to be new ones.
EXPLAINED = """
import json
from fabfile import namespace
tasks = {name: namespace[name].get_arguments() for name in namespace.task_names}  # raises for help= of no option
print(json.dumps({f"{name} {each.name}": bool(each.help) for name, each_of in tasks.items() for each in each_of}))
"""


def test_every_option_is_explained() -> None:
    done = subprocess.run([sys.executable, "-c", EXPLAINED], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    explained = json.loads(done.stdout)
    assert explained["deploy role"]
    assert [option for option, told in explained.items() if not told] == []


@pytest.mark.parametrize(
    "arguments, error, what",
    [
        (("-H", "onne", "deploy"), "HOSTS: there is no host onne", "did you mean one?"),
        (("-H", "nosuch", "deploy"), "HOSTS: there is no host nosuch", "hosts are one"),
        (("-H", "one,@nosuch", "status"), "HOSTS: there is no host @nosuch", "hosts are one"),
        (
            ("deploy", "--role=nope"),
            "--role: there is no role nope",
            "roles are database, redis, scheduler, dag-processor, triggerer, webserver, worker",
        ),
        (("stop", "--role", "worker,nope"), "--role: there is no role nope", None),
        (
            ("-H", "one", "status", "--", "uptime"),
            "“fab -H HOST -- COMMAND” is not supported",
            "fab -H HOST run 'COMMAND'",
        ),
        (("airflow", "dags list '"), "the command has unbalanced quotes: No closing quotation", None),
        (("deploy", "--wait=soon"), "--wait: soon is not a duration", "--wait=90s, --wait=15m or --wait=2h"),
        (("stop", "--wait=²"), "--wait: ² is not a duration", "--wait=90s, --wait=15m or --wait=2h"),
        (("deploy-dags",), "HOSTS: there is no DAG folder to deploy", "set deploy.dags"),
    ],
)
def test_contradictory_options_are_refused(
    fab: Fab, hosts: Path, arguments: tuple[str, ...], error: str, what: str | None
) -> None:
    done = fab(*arguments)
    assert (done.code, done.out) == (1, "")
    first, *rest = done.err.splitlines()
    assert first == f"error: {error.replace('HOSTS', str(hosts))}"
    assert rest == ([f"  → {what}"] if what else rest[:1])


def test_a_role_without_hosts(fab: Fab, hosts: Path) -> None:
    hosts.write_text(ONE.replace(", worker: [one]", "") + "airflow: {executor: LocalExecutor}\n")
    done = fab("deploy", "--role=worker")
    assert (done.code, done.err) == (1, f"error: --role: no host of {hosts} has the role worker\n")


def test_a_host_that_takes_no_part(fab: Fab, hosts: Path) -> None:
    hosts.write_text(ONE.replace("roles:", "  spare: {address: 10.0.0.9}\nroles:").replace("127.0.0.1", "10.0.0.1"))
    for task in ("setup-node", "setup-db", "node.user", "roles.worker", "restart"):
        done = fab("-H", "spare", task)
        assert (done.code, done.err.splitlines()[0]) == (1, "error: no selected host has a role for this task"), task


@pytest.mark.xfail(
    strict=True,
    # Program.load_collection of Fabric 3.2.3: for a command without a task it loads no fabfile, and so no fabric.yaml
    # beside it. What is left to name an executor is the user's own (~/.fabric.yaml) or a changed Fabric.
    reason="Fabric runs `fab -H x -- command` without the project's configuration, so without our executor",
)
def test_a_command_without_a_task_is_refused_too(fab: Fab) -> None:
    done = fab("-H", "one", "--", "uptime")
    assert (done.code, "fab -H HOST run" in done.err) == (1, True)


@pytest.mark.parametrize("lines", ["²", "9" * 5000])
def test_an_invalid_number_is_no_traceback(fab: Fab, lines: str) -> None:
    done = fab("logs", f"--lines={lines}")
    assert done.code == 1
    assert done.err.startswith(f"error: --lines: {lines[:50]!r}"[:60])
    assert "is not a number from 0 to 100000" in done.err
    assert len(done.err) < 300


def test_an_unknown_task(fab: Fab) -> None:
    done = fab("deplyo")
    assert done.code == 1
    assert "No idea what 'deplyo' is!" in done.err
