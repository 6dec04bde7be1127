"""A worker: its command, the queues that it declares in a database broker, and how its health is judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aerodrome.components.health import (
    RoleHealth,
)
from aerodrome.components.inputs import Settings
from aerodrome.components.roles.worker import COMPONENT
from aerodrome.components.units import started
from aerodrome.core.resource import Change
from aerodrome.fleet.model import Deploy, Host
from aerodrome.resources.systemd import Service
from aerodrome.secrets import Secret
from tests.unit.components.look import DRAIN, NOW, STARTED, UNIT, WEB, dropin, judged, output
from tests.unit.make import HOSTS, ROLES_OF_FLEET, Shell, fleet, inputs

URL = "sqla+postgresql://airflow:hunter2@db1/airflow"


# The part of kombu and SQLAlchemy that the program uses. The broker is a file; its errors come from another one.
KOMBU = """\
import pathlib
from sqlalchemy.exc import DBAPIError

class Connection:
    def __init__(self, url):
        if url.endswith("/broken"):
            raise ValueError(url)
        if not url.startswith("sqla+postgresql://airflow:hunter2@db1/"):
            raise AssertionError(url)
    __enter__ = channel = lambda self: self
    __exit__ = lambda self, *_: None

    def queue_declare(self, queue):
        fails = pathlib.Path("fails")
        left = int(fails.read_text()) if fails.exists() else 0
        if left:
            fails.write_text(str(left - 1))
            raise DBAPIError(KeyError("another has made it"))
        with open("declared", "a") as broker:
            print(queue, file=broker)
"""


SQLALCHEMY = """\
class DBAPIError(Exception):
    def __init__(self, orig):
        super().__init__("hunter2")
        self.orig = orig
"""


class Node:
    """A folder in which the program runs, with an AIRFLOW_HOME and a broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "sqlalchemy").mkdir()
        (folder / "kombu.py").write_text(KOMBU)
        (folder / "sqlalchemy" / "__init__.py").touch()
        (folder / "sqlalchemy" / "exc.py").write_text(SQLALCHEMY)
        self.environment = {
            "PYTHONPATH": str(folder),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CELERY__BROKER_URL": URL,
        }

    def run(self, *queues: str, version: str = "3.3.2") -> subprocess.CompletedProcess[str]:
        (change,) = COMPONENT.before_start(
            inputs(fleet(version=version)), Host("w9", "10.0.0.9", of_role=reading(queues))
        )
        program = change.script.partition("'END_OF_FILE'\n")[2].partition("END_OF_FILE\n")[0]
        done = subprocess.run(
            [sys.executable, "-"],
            input=program,
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert "hunter2" not in done.stdout + done.stderr
        return done

    @property
    def declared(self) -> list[str]:
        broker = self.folder / "declared"
        return broker.read_text().split() if broker.exists() else []


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def reading(queues: tuple[str, ...]) -> dict[str, dict[str, object]]:
    return {"worker": {"queues": queues}}


def worker(*queues: str, **given: object) -> list[str]:
    changes = COMPONENT.before_start(inputs(fleet(**given)), Host("w9", "10.0.0.9", of_role=reading(queues)))  # type: ignore[arg-type]
    assert all(isinstance(change, Change) and "\nif systemd-run " in change.script for change in changes)
    # The role's settings in hosts.yaml, its default queue and its broker, are in its file.
    assert all(" -p EnvironmentFile=-/etc/default/airflow-worker " in change.script for change in changes)
    return [change.summary for change in changes]


def test_the_summary_of_the_change() -> None:
    assert worker("default", "reports") == ["declare the queues default, reports in the broker"]
    assert worker() == ["declare the default queue in the broker"]


@pytest.mark.parametrize(
    "systemd_run, took, said",
    [
        ("exit 0", 0, b""),
        # Stopped by systemd (RuntimeMaxSec=), and on its own.
        ("exit 1", 60, b"the broker, or the command that knows its URL, has not answered within 60 s\n"),
        ("echo 'KeyError: x'; exit 1", 3, b"KeyError: x\n"),
    ],
)
def test_a_broker_that_hangs_is_not_waited_for_and_named(
    sh: Shell, tmp_path: Path, systemd_run: str, took: int, said: bytes
) -> None:
    (change,) = COMPONENT.before_start(inputs(), Host("w9", "10.0.0.9"))
    assert " -p RuntimeMaxSec=60 " in change.script
    clock = f"now=$(($(cat {tmp_path}/clock 2>/dev/null || echo 100) + {took})); echo $now; echo $now >{tmp_path}/clock"
    programs = {"systemd-run": f"cat >/dev/null; {systemd_run}", "date": clock}
    done = sh(f"set -eu\n{change.script}", programs=programs)
    assert (done.returncode, done.stdout) == (int(systemd_run != "exit 0"), said)


def test_redis_needs_none() -> None:
    assert worker("default", roles={**ROLES_OF_FLEET, "redis": ("db1",)}) == []


def test_the_queues_of_hosts_yaml(node: Node) -> None:
    assert (node.run("default", "reports").returncode, node.declared) == (0, ["default", "reports"])


@pytest.mark.parametrize("version, section", [("1.10.10", "celery"), ("2.11.2", "operators"), ("3.3.2", "operators")])
def test_the_default_queue_as_set_for_airflow(node: Node, version: str, section: str) -> None:
    node.run(version=version)
    (node.folder / "airflow.cfg").write_text(f"[{section}]\ndefault_queue = 50%\n")
    node.run(version=version)
    node.environment[f"AIRFLOW__{section.upper()}__DEFAULT_QUEUE"] = "common"
    node.run(version=version)
    assert node.declared == ["default", "50%", "common"]


def test_a_broker_that_a_command_knows(node: Node) -> None:
    del node.environment["AIRFLOW__CELERY__BROKER_URL"]
    node.environment["AIRFLOW__CELERY__BROKER_URL_CMD"] = f"echo '{URL}'"
    assert (node.run("a").returncode, node.declared) == (0, ["a"])


def test_a_broker_that_is_no_database_is_left_alone(node: Node) -> None:
    node.environment["AIRFLOW__CELERY__BROKER_URL"] = "amqp://airflow:hunter2@mq1//"
    assert (node.run("a").returncode, node.declared) == (0, [])


def test_who_comes_second_looks_again(node: Node) -> None:
    (node.folder / "fails").write_text("3")  # the tables, a, and b
    done = node.run("a", "b")
    assert (done.returncode, set(node.declared)) == (0, {"a", "b"})


def test_a_broker_that_refuses_for_good(node: Node) -> None:
    (node.folder / "fails").write_text("99")
    done = node.run("a", "b")
    assert (done.returncode, done.stderr, node.declared) == (1, "KeyError: 'another has made it'\n", [])
    assert (node.folder / "fails").read_text() == "95"


def test_what_may_hold_the_url_is_not_shown(node: Node) -> None:
    node.environment["AIRFLOW__CELERY__BROKER_URL"] = f"{URL}/broken"
    done = node.run("a")
    assert (done.returncode, done.stderr) == (1, "cannot declare the queues: ValueError\n")


def test_a_worker_by_its_log_port_and_by_celery_s_word() -> None:
    ready = UNIT + "Ready=yes\n"
    assert judged("worker", {"jobs": {}, "ports": {"worker": ""}}, ready) == (
        "ok",
        "Celery is ready, log port 8793 answers",
    )
    error = {"jobs": {}, "ports": {"worker": "ConnectionRefusedError: [Errno 111] Connection refused"}}
    assert judged("worker", error, ready) == (
        "waiting",
        "port 8793: ConnectionRefusedError: [Errno 111] Connection refused",
    )


@pytest.mark.parametrize(
    "age, verdict",
    [(59, ("waiting", "Celery is not ready yet")), (60, ("ok", "Celery runs, log port 8793 answers"))],
)
def test_a_worker_whose_log_level_hides_that_word_has_to_run_for_a_while(age: int, verdict: tuple[str, str]) -> None:
    text = output({"jobs": {}, "ports": {"worker": ""}}, UNIT).replace(str(NOW), str(STARTED + age), 1)
    (health,) = RoleHealth(inputs(), WEB, ("worker",)).judge(text)
    assert (health.verdict, health.detail) == verdict


def test_the_journal_of_an_earlier_start_does_not_count(sh: Shell) -> None:
    script = RoleHealth(inputs(), WEB, ("worker",)).probe()
    (line,) = [line for line in script.splitlines() if "journalctl" in line]
    programs = {
        "systemctl": 'case "$*" in *InvocationID*) echo $START;; *) echo ActiveState=active;; esac',
        "journalctl": 'case "$*" in *_SYSTEMD_INVOCATION_ID=old) echo "celery@w1 ready.";; esac',
    }
    line = f"runs() {{ systemctl; }}\n{line}"
    assert sh(f"export START=new\n{line}", programs=programs).stdout == b"ActiveState=active\n\n"
    assert sh(f"export START=old\n{line}", programs=programs).stdout == b"ActiveState=active\nReady=yes\n\n"


def test_a_worker_of_airflow_3_needs_no_database() -> None:
    unit = f"{UNIT}Ready=yes\n"
    assert judged("worker", {"ports": {"worker": ""}}, unit) == ("ok", "Celery is ready, log port 8793 answers")
    assert judged("worker", {}, unit) == ("waiting", "port 8793: not asked")
    assert judged("worker", {"ports": {"worker": None}}, unit) == ("waiting", "port 8793: None")  # not our answer


def test_a_worker_with_queues_and_concurrency() -> None:
    assert dropin("worker", "w1") == (
        "ExecStart=\n"
        "ExecStart=/opt/aerodrome/airflow/venv/bin/airflow celery worker --celery-hostname w1"
        " --queues default,reports\n"
        f"{DRAIN}"
    )


def test_a_worker_without() -> None:
    assert (
        dropin("worker", "w2")
        == f"ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow celery worker --celery-hostname w2\n{DRAIN}"
    )
    old = "ExecStart=\nExecStart=/opt/aerodrome/airflow/venv/bin/airflow worker --celery_hostname w2\n"
    assert dropin("worker", "w2", version="1.10.10") == old + DRAIN


def test_a_worker_calls_itself_what_the_others_can_resolve() -> None:
    hosts = {**HOSTS, "w2": Host("w2", "w2.example.com")}
    file = started(inputs(fleet(hosts=hosts, deploy=Deploy(dns=True))), hosts["w2"], "worker").resources[0]
    assert "airflow celery worker --celery-hostname w2.example.com\n" in file.content  # type: ignore[attr-defined]


def test_a_worker_of_1_10_with_queues_has_a_command_of_its_own() -> None:
    host = Host("w9", "10.0.0.9", of_role={"worker": {"queues": ("q",)}})
    file = started(inputs(fleet(version="1.10.10")), host, "worker").resources[0]
    assert "ExecStart=/opt/aerodrome/airflow/venv/bin/airflow worker --celery_hostname w9 --queues q\n" in file.content  # type: ignore[attr-defined]


def test_a_workers_queues_are_declared_before_it_is_started() -> None:
    def before(name: str, host: str) -> tuple[Change, ...]:
        service = started(inputs(), HOSTS[host], name).resources[-1]
        assert isinstance(service, Service)
        return service.before

    assert before("worker", "w1") == COMPONENT.before_start(inputs(), HOSTS["w1"]) != ()
    assert before("scheduler", "s1") == before("webserver", "web1") == ()


def test_a_worker_of_airflow_2_forks_without_a_pool_of_connections_to_redis() -> None:
    # Its children would wait for ever on a connection of their parent's.
    name, wanted = (
        "AIRFLOW__CELERY__EXTRA_CELERY_CONFIG",
        {"AIRFLOW__CELERY__EXTRA_CELERY_CONFIG": '{"broker_pool_limit": 0}'},
    )
    two, host = "2.11.2", HOSTS["w2"]
    redis = {**ROLES_OF_FLEET, "redis": ("db1",)}
    given = {"redis_password": Secret("x")}
    assert COMPONENT.variables(inputs(fleet(version=two, roles=redis), **given), host) == wanted
    by_url = {"broker_url": Secret("rediss://:x@elsewhere/0"), "result_backend": Secret("db+postgresql://r")}
    assert COMPONENT.variables(inputs(fleet(version=two), **by_url), host) == wanted

    # Other brokers, a version that resets the pool, and whoever sets it already.
    assert COMPONENT.variables(inputs(fleet(version=two)), host) == {}
    assert COMPONENT.variables(inputs(fleet(version=two), broker_url=Secret("amqp://u:p@b/v")), host) == {}
    assert COMPONENT.variables(inputs(fleet(roles=redis), **given), host) == {}
    set_already = Settings(environment={name: "{}"})
    assert COMPONENT.variables(inputs(fleet(version=two, roles=redis), settings=set_already, **given), host) == {}
