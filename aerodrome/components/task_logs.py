"""Whether web servers can read task logs, under the name that each log server's host reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from aerodrome.components.command import PATIENCE, isolated_python
from aerodrome.components.health import Health
from aerodrome.components.inputs import Inputs
from aerodrome.core.check import Finding
from aerodrome.core.resource import PRELUDE, heredoc
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host
from aerodrome.program import program


@dataclass(frozen=True)
class LogServer:
    """The server of task logs on a host, under the name that the host reports."""

    host: str
    name: str
    port: int

    @property
    def key(self) -> str:
        return f"{self.name}:{self.port}"


def log_servers(inputs: Inputs, rows: Sequence[Health]) -> list[LogServer]:
    """Return the log servers of the fleet's healthy roles."""
    executor, version = inputs.fleet.airflow.executor, inputs.version
    ports = {
        role.name: role.logs.default
        for role in inputs.version_roles
        if role.logs and role.serves_logs(executor, version)
    }
    return [
        LogServer(row.host, row.reports, ports[row.role])
        for row in rows
        if row.role in ports and row.ok and row.reports
    ]


@dataclass(frozen=True)
class TaskLogs:
    """A role on a host can read task logs from every log server."""

    inputs: Inputs
    host: Host
    role: str  # the role whose processes read them
    servers: Sequence[LogServer]

    @property
    def key(self) -> str:
        return "task logs"

    def probe(self) -> str:
        """Return sh that prints the result of asking each log server."""
        asks = program("task_logs", servers=[(server.name, server.port) for server in self.servers])
        python = isolated_python(self.inputs, "-", role=self.role, seconds=PATIENCE)
        return f"{PRELUDE}{python} 2>/dev/null {heredoc(asks)}\n"

    def judge(self, answer: str) -> list[Finding]:
        """Return a finding for each log server that cannot be read."""
        try:
            answers = json.loads(answer.strip() or "null")
        except ValueError:
            answers = None
        if not isinstance(answers, Mapping):
            return self.unknown("no answer")
        failed = [(server, answers.get(server.key, "not tried")) for server in self.servers]
        return [
            self._failed(f"cannot read task logs of {server.host}: {_why(self.host.name, server, str(why))}")
            for server, why in failed
            if why is not None
        ]

    def unknown(self, why: str) -> list[Finding]:
        return [self._failed(f"task logs could not be tested: {why}")]

    def _failed(self, detail: str) -> Finding:
        return Finding(self.role, "failed", detail)


def _why(web: str, server: LogServer, why: str) -> str:
    if why == "unresolved":
        return f'{web} does not resolve "{server.name}"'
    return f"{web} gets no answer from {server.name}, port {server.port}: {why}"
