"""A worker's queues, declared in a broker that is a database: the program that runs on the node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from aerodrome.components.roles.worker import COMPONENT
from aerodrome.core.resource import Change
from aerodrome.fleet.model import Host
from tests.unit.make import ROLES_OF_FLEET, Shell, fleet, inputs

URL = "sqla+postgresql://airflow:hunter2@db1/airflow"
# What of kombu and SQLAlchemy the program uses; the broker is a file, and what it refuses comes from another one.
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
    # What hosts.yaml says of the role, its default queue or a broker, is said there.
    assert all(" -p EnvironmentFile=-/etc/default/airflow-worker " in change.script for change in changes)
    return [change.summary for change in changes]


def test_what_is_told_of_it() -> None:
    assert worker("default", "reports") == ["declare the queues default, reports in the broker"]
    assert worker() == ["declare the default queue in the broker"]


@pytest.mark.parametrize(
    "systemd_run, took, said",
    [
        ("exit 0", 0, b""),
        # As systemd ends it (RuntimeMaxSec=), and as it ends by itself.
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
def test_the_default_queue_as_airflow_is_told_it(node: Node, version: str, section: str) -> None:
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
    assert (done.returncode, done.stderr) == (1, "the queues could not be declared: ValueError\n")
