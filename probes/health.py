"""Run on a node, as the service user in the units' environment: print what Airflow reports, and change nothing."""

import importlib
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from typing import Any

from probes.connection import bound, connect
from probes.failure import first_line

LONGEST_LOOK = 10  # seconds
FRESH = 2  # seconds


def main(
    ask: "dict[str, Any]", variable: str, public: "list[str]", hostname_callable: str, asks: str = "", looked: str = ""
) -> None:
    """Print one JSON object that answers `ask`; with `asks`, print one for each request on stdin."""
    airflow = Airflow(ask, variable, public, hostname_callable)
    if asks:
        watch(airflow, asks.encode() + b"\n", looked)
    else:
        print(airflow.look())


def watch(airflow: "Airflow", asks: bytes, looked: str) -> None:
    """Echo what is read; at each line `asks`, print one JSON object and then the mark `looked`, which ends a look."""
    seen: list[bytes] = []
    for line in sys.stdin.buffer:
        if line != asks:
            seen.append(line)
            continue
        # A database that has vanished never answers. Then this process and its shell end, and looks run one by one.
        signal.alarm(LONGEST_LOOK)
        # Requests older than this have waited while the previous look ran.
        if time.time() - int(seen[0]) < FRESH:
            sys.stdout.buffer.write(b"".join(seen) + f"{airflow.look()}\n{looked}\n".encode())
            sys.stdout.buffer.flush()
        seen = []


class Airflow:
    """Airflow's own reports about this host. The connection and the host's name are kept between looks."""

    def __init__(self, ask: "dict[str, Any]", variable: str, public: "list[str]", hostname_callable: str) -> None:
        self.ask = ask
        self.database = variable, public
        self.hostname_callable = hostname_callable
        self.known_as: tuple[str, ...] = ()
        self.connection: Any = None

    def look(self) -> str:
        """Return all answers as one JSON object; a question that failed has an error under the same name."""
        answer = {}
        asked = (("name", lambda: self.names()[0]), ("jobs", self.jobs), ("web", self.web), ("ports", self.ports))
        for name, ask in asked:
            if name in self.ask:
                try:
                    answer[name] = ask()
                except Exception as error:
                    answer[name + "_error"] = first_line(error)
        return json.dumps(answer)

    def names(self) -> "tuple[str, ...]":
        """Return the names by which this host's Airflow processes may be known. They report the first one today."""
        if not self.known_as:
            given = os.environ.get(self.hostname_callable)
            # Which of the two is Airflow's default depends on its version and the host's resolver.
            self.known_as = (called(given),) if given else (socket.getfqdn(), socket.gethostname())
        return self.known_as

    def jobs(self) -> "dict[str, Any]":
        """Return the latest heartbeat and start time of each kind of job on this host."""
        if self.connection is None:
            self.connection = connect(*self.database)
        try:
            # A new transaction for each look; otherwise now() would stand still.
            with self.connection, self.connection.cursor() as cursor:
                bound(cursor)
                cursor.execute("SELECT to_regclass('job')")
                if cursor.fetchone()[0] is None:
                    return {}
                cursor.execute(
                    "SELECT job_type, extract(epoch FROM now() - max(latest_heartbeat))::float,"
                    " extract(epoch FROM max(start_date))::float FROM job"
                    " WHERE state = 'running' AND hostname IN %s GROUP BY job_type",
                    (self.names(),),
                )
                return {kind: {"age": age, "started": started} for kind, age, started in cursor.fetchall()}
        except Exception:
            broken, self.connection = self.connection, None
            broken.close()  # the server may have restarted: the next look reconnects
            raise

    def web(self) -> "Any":
        """Return the web server's health body; its port is the one in the unit's environment."""
        server, (variable, default), path = self.ask["web"]
        url = server + os.environ.get(variable, default) + path
        # A proxy from the environment does not belong between a host and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.loads(opener.open(url, timeout=5).read().decode())

    def ports(self) -> "dict[str, str]":
        """Return, for each role, why its port accepts no connection; empty if it does."""
        return {role: refused(port) for role, port in self.ask["ports"].items()}


def refused(port: int) -> str:
    """Return why a port of this host accepts no connection; empty if it does."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError as error:
        return first_line(error)
    return ""


def called(path: str) -> str:
    """Call a function named in Airflow's notation, `module:function` or `module.function`, and return its result."""
    module, _, function = path.replace(":", ".").rpartition(".")
    folder = os.path.join(os.environ["AIRFLOW_HOME"], "config")
    if folder not in sys.path:
        sys.path.append(folder)  # as Airflow does
    return str(getattr(importlib.import_module(module), function)())
