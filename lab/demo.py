"""The demo's web client: a login, and a DAG run over the REST API (Airflow 3)."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from aerodrome.errors import AerodromeError
from aerodrome.secrets import Secret, new_password

PATIENCE = (
    300  # seconds; a new DAG appears at the DAG processor's next scan, and the first task imports for a long time
)


def keep_password(path: Path) -> None:
    """Generate the demo's password once, in its own file (0600)."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_password() + "\n")


class WebServer:
    """The web server, with a login."""

    def __init__(self, url: str, name: str, password: Secret) -> None:
        self._url = url
        token = self._call("POST", "/auth/token", {"username": name, "password": password.reveal()})
        self._token = Secret(token["access_token"])

    def unpause(self, dag: str) -> None:
        """Unpause a DAG; wait until the web server knows it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})
                return
            except urllib.error.HTTPError as error:
                if error.code != 404 or time.monotonic() > deadline:
                    raise AerodromeError(
                        f"{self._url} answers {error.code} for the DAG {dag}",
                        "fab logs --role=dag-processor",
                    ) from None
            time.sleep(2)

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG and return its id."""
        answer = self._call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})
        return str(answer["dag_run_id"])

    def await_end(self, dag: str, run_id: str) -> str:
        """Wait until a run ends and return its state; raises AerodromeError unless it succeeded."""
        deadline = time.monotonic() + PATIENCE
        state = ""
        while state not in ("success", "failed"):
            if time.monotonic() > deadline:
                raise AerodromeError(
                    f"{run_id} is still {state} after {PATIENCE} s",
                    "fab status; fab logs --role=worker",
                )
            time.sleep(1)
            state = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")["state"]
        if state != "success":
            raise AerodromeError(f"{run_id} ended as {state}", "fab logs --role=worker")
        return state

    def tasks(self, dag: str, run_id: str) -> list[tuple[str, str, str]]:
        """Return name, host and state of each task of a run, in the order in which they started."""
        answer = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")
        found = sorted(answer["task_instances"], key=lambda task: task["start_date"] or "")
        return [(task["task_id"], task["hostname"], task["state"]) for task in found]

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(self._url + path, method=method)
        if "_token" in self.__dict__:
            request.add_header("Authorization", f"Bearer {self._token.reveal()}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        # Practice hosts are on this machine: ignore proxies from the environment.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return json.loads(opener.open(request, data, timeout=30).read() or "null")
