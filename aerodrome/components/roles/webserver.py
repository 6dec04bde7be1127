"""Step 4: set up and start the web servers.

Examples:
  fab roles.webserver
  fab -H web2 roles.webserver
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.catalogue.version import DATABASE_URL, FERNET_KEY, JWT_SECRET, SECRET_KEY
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import parts_of
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import from_itself, in_url, listens, own_address
from aerodrome.core.check import Check, Verdict
from aerodrome.fleet.model import Airflow, Host
from aerodrome.fleet.role import KeyPort, Sections, Version


class Webserver(AirflowRole):
    """Serves the UI and, from Airflow 3, the workers' API."""

    name, place, stage = "webserver", 60, "webservers"
    commands = {1: "webserver", 2: "webserver", 3: "api-server"}
    tasks_need_it = 3
    secrets = (FERNET_KEY, DATABASE_URL, SECRET_KEY, JWT_SECRET)
    public = True
    reads_logs = True

    def needed(self, found: Sections) -> bool:
        return True

    def ports(self, executor: str, version: Version) -> tuple[KeyPort, ...]:
        return (KeyPort("the web server", "airflow", "web_port", Airflow.web_port),)

    def requires(self, inputs: Inputs, host: Host) -> tuple[Check, ...]:
        return own_address("the web server", host)

    def host_variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        return {inputs.catalogue.variable("api", "host"): inputs.catalogue.web_host(listens(host))}

    def command(self, inputs: Inputs, host: Host) -> str:
        runtime = self.runtime(inputs)
        return super().command(inputs, host) + (f" --pid /run/{runtime}/gunicorn.pid" if runtime else "")

    def runtime(self, inputs: Inputs) -> str:
        """Return the directory of gunicorn's pid file; Airflow 3 has no gunicorn."""
        return f"{inputs.fleet.airflow.service}-{self.name}" if inputs.catalogue.major < 3 else ""

    def asks(self, inputs: Inputs, host: Host) -> dict[str, object]:
        # The host's own port: after an undo, it may be another one than hosts.yaml's.
        port = [inputs.catalogue.variable("api", "port"), str(inputs.fleet.airflow.web_port)]
        return {"web": [f"http://{in_url(from_itself(host))}:", port, inputs.catalogue.health_path]}

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        # Airflow always answers 200; only the body tells its health.
        if "web" not in seen.answers:
            return "waiting", seen.answers.get("web_error", "not checked")
        parts = parts_of(seen.answers["web"])
        told = ", ".join(f"{name} {status}" for name, status in sorted(parts.items()) if status)
        # It may start before the roles that it reports on.
        return ("ok" if parts.get("metadatabase") == "healthy" else "waiting"), told

    def reported(self, answers: Mapping[str, Any]) -> dict[str, Any] | None:
        return answers.get("web")


COMPONENT = Webserver()
