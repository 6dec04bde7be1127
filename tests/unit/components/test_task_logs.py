"""Whether a web server can read task logs: the question, and the hosts' answers."""

from __future__ import annotations

import ast
import json
import time
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from aerodrome.components.health import Health
from aerodrome.components.task_logs import LogServer, TaskLogs, log_servers
from tests.unit.make import HOSTS, Shell, fleet, inputs

WORKER = Health("worker", "ok", "", version="3.3.2", reports="w1", host="w1")
ROWS = [
    replace(WORKER, host="s1", subject="scheduler", reports="s1"),
    replace(WORKER, host="s1", subject="triggerer", reports="s1"),
    replace(WORKER, host="web1", subject="webserver", reports="web1"),
    WORKER,
    replace(WORKER, host="w2", reports="ip-10-0-0-5"),
    replace(WORKER, host="w3", verdict="failed"),
]


@pytest.mark.parametrize(
    "version, executor, servers",
    [
        ("3.3.2", "CeleryExecutor", ["s1:8794", "w1:8793", "ip-10-0-0-5:8793"]),
        ("2.11.2", "LocalExecutor", ["s1:8793", "s1:8794", "w1:8793", "ip-10-0-0-5:8793"]),
        ("1.10.10", "LocalExecutor", ["w1:8793", "ip-10-0-0-5:8793"]),
    ],
)
def test_what_is_healthy_and_serves_logs_is_asked(version: str, executor: str, servers: list[str]) -> None:
    given = inputs(fleet(version=version, executor=executor))
    assert [server.key for server in log_servers(given, ROWS)] == servers


def problems(servers: list[LogServer], output: str) -> list[str]:
    found = TaskLogs(inputs(), HOSTS["web1"], "webserver", servers).judge(output)
    assert all((each.subject, each.verdict) == ("webserver", "failed") for each in found)
    return [each.detail for each in found]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        with suppress(OSError):
            while self.path == "/" and self.headers["Host"].startswith("127.0.0.2:"):  # byte by byte, without end
                self.wfile.write(b"x")
                time.sleep(0.5)
        self.send_error({"localhost": 403, "127.0.0.1": 502}[self.headers["Host"].split(":")[0]])

    def log_message(self, *_: object) -> None:
        pass


def test_the_program_tells_answers_from_names_that_do_not_resolve(sh: Shell) -> None:
    server = ThreadingHTTPServer(("", 0), Page)
    Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    names = ("localhost", "127.0.0.1", "no-such-host.invalid")
    servers = [LogServer(f"w{number}", name, port) for number, name in enumerate(names, 1)]
    servers.append(LogServer("w4", "localhost", 1))
    servers.append(LogServer("w5", "127.0.0.2", port))
    script = (
        TaskLogs(inputs(), HOSTS["web1"], "webserver", servers)
        .probe()
        .partition("/airflow/venv/bin/python -I - 2>/dev/null ")[2]
    )
    ast.parse(script.partition("\n")[2].removesuffix("END_OF_FILE\n"), feature_version=(3, 6))
    done = sh(f"env -u http_proxy -u HTTP_PROXY python3 - {script}")
    server.shutdown()
    assert problems(servers, done.stdout.decode()) == [
        f"cannot read task logs of w2: web1 gets no answer from 127.0.0.1, port {port}: HTTP status 502",
        'cannot read task logs of w3: web1 does not resolve "no-such-host.invalid"',
        "cannot read task logs of w4: web1 gets no answer from localhost, port 1: [Errno 111] Connection refused",
        f"cannot read task logs of w5: web1 gets no answer from 127.0.0.2, port {port}: no complete answer in time",
    ]


@pytest.mark.parametrize("output", ["", "{", "[]", "3"])
def test_a_missing_answer_is_reported(output: str) -> None:
    assert problems([LogServer("w1", "w1", 8793)], output) == ["task logs could not be tested: no answer"]
    assert problems([LogServer("w1", "w1", 8793)], json.dumps({})) == [
        "cannot read task logs of w1: web1 gets no answer from w1, port 8793: not tried"
    ]
