"""`--json` without hosts: the end of a run that cannot begin, and the tasks that have the option."""

from __future__ import annotations

import inspect
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fabfile import namespace
from tests.tasks.conftest import FAB, ONE, PROJECT, Fab

KEYS = ["time", "event", "outcome", "seconds", "changed", "errors"]


def documents(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def silent(hosts: Path) -> Iterator[socket.socket]:
    """Make the only host a port of this machine that never answers; fab waits for it for a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hosts.write_text(
            ONE.replace("port: 1}", f"port: {port}}}").replace("connect_timeout: 5", "connect_timeout: 60")
        )
        yield server


def test_every_task_that_goes_through_perform_has_json() -> None:
    performing = set()
    for name in namespace.task_names:
        body = namespace[name].body
        if not {"perform", "_node", "_role", "begin"}.isdisjoint(body.__code__.co_names):
            performing.add(name)
            assert "json" in inspect.signature(body).parameters, name
    assert {"deploy", "deploy-dags", "stop", "setup-db", "node.venv", "roles.worker"} <= performing
    assert {"create-user", "lock.hold", "lock.release"} <= performing


@pytest.mark.parametrize(
    "task, options",
    [
        *((task, []) for task in ("deploy", "stop", "setup-node", "node.hosts", "roles.worker")),
        ("create-user", ["--password=!env LOGIN"]),
    ],
)
def test_a_host_that_is_down_is_in_the_end(fab: Fab, task: str, options: list[str]) -> None:
    done = fab(task, *options, "--json", LOGIN="hunter2-hunter2")
    assert "hunter2" not in done.out + done.err
    assert done.code == 1
    begin, failed, end = documents(done.out)
    assert (begin["event"], begin["command"], begin["hosts"]) == ("begin", f"fab {task}", ["one"])
    assert (failed["event"], failed["host"], failed["step"]) == ("failed", "one", "connect")
    assert list(end) == KEYS
    assert (end["event"], end["outcome"], end["changed"]) == ("end", "failed", [])
    (error,) = end["errors"]
    assert error == {key: failed[key] for key in ("host", "step", "message", "hint", "detail")}
    # People read the same on stderr, and nothing else.
    assert done.err == f"one: connect: {error['message']} → {error['hint']}\n"


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["-H", "nobody", "deploy", "--json"], "there is no host nobody"),
        (["deploy", "--json", "--role=cook"], "--role: there is no role cook"),
        (["deploy", "--json", "--wait=soon"], "--wait: soon is not a duration"),
        (["create-user", "--json", "--password=x"], "--password: a literal password would be visible"),
        (["create-user", "--json", "--password=!env NO_SUCH"], "--password: !env NO_SUCH: the variable is not set"),
        (["lock.hold", "--json"], "--reason is missing"),
    ],
)
def test_a_run_that_cannot_begin_ends_too(fab: Fab, arguments: list[str], says: str) -> None:
    done = fab(*arguments)
    assert done.code == 1
    (end,) = documents(done.out)
    assert end["outcome"] == "failed"
    assert says in end["errors"][0]["message"] and end["errors"][0]["host"] is None


def test_a_hosts_yaml_that_is_wrong_is_one_end(fab: Fab, hosts: Path) -> None:
    hosts.write_text("hosts: {one: {adress: 127.0.0.1}}\n")
    done = fab("deploy", "--json")
    (end,) = documents(done.out)
    assert f"{hosts}:1" in end["errors"][0]["message"]
    assert done.code == 1 and done.err.startswith("error: ")


def test_an_output_that_nobody_takes_is_an_error_but_a_closed_pipe_is_not(hosts: Path, silent: socket.socket) -> None:
    hosts.write_text(hosts.read_text().replace("connect_timeout: 60", "connect_timeout: 3"))
    command = f"{FAB} deploy --json | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=PROJECT,
        env={**os.environ, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, code = done.stdout.splitlines()
    assert json.loads(first)["event"] == "begin"
    assert code == "1"  # for the host that does not answer, and not 141
    assert done.stderr.startswith("one: connect: ") and done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_is_an_end_as_well(hosts: Path, silent: socket.socket, number: signal.Signals) -> None:
    default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    process = subprocess.Popen(
        [FAB, "deploy", "--json"],
        cwd=PROJECT,
        env={**os.environ, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, default),
    )
    connection, _ = silent.accept()
    with connection:  # once it is closed, fab fails by itself
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    *_, end = documents(out)
    assert (end["event"], end["outcome"], process.returncode) == ("end", "interrupted", 128 + number)
    assert "interrupted" in err and "Traceback" not in err


LOST = """
import os, signal, time, weakref
from tasks import executor
executor._end_in_order()
# As in an import: a callback of a weak reference, of which Python drops what is raised in it.
names = {}
text = f"def callback(_): os.kill(os.getpid(), {NUMBER})"
exec(compile(text, "<frozen importlib._bootstrap>", "exec"), {"os": os}, names)
class Lock: pass
lock = Lock()
kept = weakref.ref(lock, names["callback"])
try:
    del lock
    time.sleep(10)
except KeyboardInterrupt as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Ended")])
def test_a_signal_in_the_middle_of_an_import_is_not_lost(number: signal.Signals, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOST.replace("NUMBER", str(int(number)))],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    )
    assert (done.stdout, done.stderr) == (f"{name}\n", "")
