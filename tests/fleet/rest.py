"""The REST API of the fleet's web server, through Airflow's own client."""

from __future__ import annotations

import os
import secrets

from airflow_client import client
from airflow_client.client.exceptions import NotFoundException

from tests.fleet.conftest import Fleet
from tests.real import token, wait

LOGIN = "fleet-tests"


class Api:
    """The web server, with a login."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.name, self.password = name, password
        self.token = token(url, name, password)
        connection = client.ApiClient(client.Configuration(host=url, access_token=self.token))
        self.dags = client.DAGApi(connection)
        self.runs = client.DagRunApi(connection)
        self.instances = client.TaskInstanceApi(connection)

    def unpause(self, dag: str) -> None:
        """Unpause a DAG, once the web server knows it."""

        def done() -> bool:
            try:
                return not self.dags.patch_dag(dag, client.DAGPatchBody(is_paused=False)).is_paused
            except NotFoundException:
                return False

        wait(f"the DAG {dag}", done, pause=2)

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG and return its id."""
        return str(self.runs.trigger_dag_run(dag, client.TriggerDAGRunPostBody(logical_date=None)).dag_run_id)

    def await_end(self, dag: str, run: str) -> str:
        """Wait until a run ends, and return its state."""

        def end() -> str:
            state = self.runs.get_dag_run(dag, run).state.value
            return state if state in ("success", "failed") else ""

        return str(wait(f"the end of {dag} {run}", end))

    def tasks(self, dag: str, run: str) -> dict[str, client.TaskInstanceResponse]:
        """Return the tasks of a run, by name."""
        found = self.instances.get_task_instances(dag, run).task_instances
        return {task.task_id: task for task in found}

    def log(self, dag: str, run: str, task: str, number: int = 1) -> str:
        """Return the lines of a task's log."""
        answer = self.instances.get_log(dag, run, task, number, full_content=True, accept="application/json")
        lines = answer.content.actual_instance or []
        return "\n".join(line if isinstance(line, str) else str(line.event) for line in lines)

    def succeed(self, dag: str) -> str:
        """Run a DAG to its end, assert that it succeeds, and return the run's id."""
        self.unpause(dag)
        run = self.trigger(dag)
        state = self.await_end(dag, run)
        told = {name: (task.hostname, task.state) for name, task in self.tasks(dag, run).items()}
        assert state == "success", f"{run}: {state}: {told}"
        return run


_logins: dict[str, Api] = {}


def log_in(fleet: Fleet) -> Api:
    """Return the web server with a login for the tests, created once per session by `fab create-user`."""
    if fleet.web_url not in _logins:
        password = secrets.token_urlsafe(18)
        file = fleet.folder / "login-of-tests"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
            opened.write(password + "\n")
        fleet.fab("create-user", f"--name={LOGIN}", f"--password=!file {file}")
        _logins[fleet.web_url] = Api(fleet.web_url, LOGIN, password)
    return _logins[fleet.web_url]
