"""Hosts that cannot be reached: one line each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tasks.conftest import ONE, Fab

UP = "is the host up, and its address in hosts.yaml correct?"


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy",),
        ("plan",),
        ("roles.worker",),
        ("-H", "one", "run", "true"),
        ("airflow", "dags list"),
        ("logs",),
    ],
)
def test_a_host_that_is_down_is_one_line(fab: Fab, arguments: tuple[str, ...]) -> None:
    done = fab(*arguments)
    assert (done.code, done.out) == (1, "")
    (line,) = done.err.splitlines()
    assert line.startswith("one: connect: cannot connect to root@127.0.0.1:1: ")
    assert line.endswith(f" → {UP}")


def test_a_plan_for_a_program_leaves_out_a_host_that_is_down_and_says_so(fab: Fab) -> None:
    done = fab("plan", "--json")
    assert (done.code, json.loads(done.out)) == (1, [])
    assert done.err.startswith("one: connect: cannot connect to ")


def test_the_status_of_a_host_that_is_down(fab: Fab) -> None:
    done = fab("status", "--json", "--role=worker")
    (row,) = json.loads(done.out)
    assert done.code == 1
    assert (row["host"], row["role"], row["active"], row["healthy"]) == ("one", "worker", "unknown", False)
    assert row["detail"] == "cannot connect to root@127.0.0.1:1: Connection refused"


def test_every_host_that_is_down_is_a_line(fab: Fab, hosts: Path) -> None:
    hosts.write_text(
        ONE.replace("127.0.0.1", "a.invalid").replace("roles:", "  two: {address: b.invalid}\nroles:")
        + "deploy: {dns: true}\n"
    )
    done = fab("deploy")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["one"]
    done = fab("run", "true")
    assert done.code == 1
    assert [line.split(":")[0] for line in done.err.splitlines()] == ["one", "two"]


def test_a_key_file_that_is_not_there(fab: Fab, hosts: Path) -> None:
    # Nothing listens, so the port is the error; the key is checked once the host answers.
    hosts.write_text(ONE.replace("port: 1", "port: 1, key: no/such/key"))
    assert fab("deploy").code == 1


def test_host_keys_are_not_trusted_without_being_asked(fab: Fab) -> None:
    done = fab("trust-hosts")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("one: trust-hosts: cannot connect to 127.0.0.1:1: ")


@pytest.mark.parametrize(
    "task", [("lock.status",), ("lock.hold", "--reason=x"), ("lock.release", "--reason=x"), ("history",)]
)
def test_the_host_of_the_lock_is_named_if_it_is_down(fab: Fab, task: tuple[str, ...]) -> None:
    done = fab(*task)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("one: ")
    assert "cannot connect to" in done.err
