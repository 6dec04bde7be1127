"""Step 5: set up and start the workers; running ones restart one after another.

Examples:
  fab roles.worker
  fab -H worker3 setup-node roles.worker    # a new machine
"""

from __future__ import annotations

from collections.abc import Iterator

from aerodrome.catalogue.version import BROKER_URL, RESULT_BACKEND, SECRET_KEY
from aerodrome.components.command import python_program
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.health import refused
from aerodrome.components.inputs import Inputs
from aerodrome.core.check import Verdict
from aerodrome.core.resource import Change, quote
from aerodrome.fleet.model import Airflow, Host
from aerodrome.fleet.role import Sections, SettingPort
from aerodrome.fleet.schema import List, Number, Text
from aerodrome.program import program

# Celery's message that a worker accepts tasks; its log port answers earlier, and it may die in between.
READY = " ready."
# Bytes of its journal that are searched for that message. Tasks can fill a journal with gigabytes, which take minutes
# to search.
READY_WITHIN = 1_000_000
# Seconds after which a running worker counts as ready, in case its log level hides that message.
SETTLES = 60
# Seconds for declaring its queues; a first start of Python on a slow machine is a part of them.
PATIENCE = 60


LOGS = SettingPort("the worker's log server", ("logging", "worker_log_server_port"), 8793)


class Worker(AirflowRole):
    """Runs tasks with Celery."""

    name, place, stage = "worker", 70, "workers"
    commands = {1: "worker", 2: "celery worker", 3: "celery worker"}
    secrets = (BROKER_URL, RESULT_BACKEND, SECRET_KEY)  # it gets a token with each task (3.3.2)
    uses_celery = True
    logs = LOGS
    host_keys = {
        "queues": List(
            "a list of queues: [default, reports]",
            Text("a queue name of letters, digits and . _ -", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
        ),
        "concurrency": Number(1, 1000),
    }

    def mistakes(self, found: Sections) -> Iterator[str]:
        yield from super().mistakes(found)
        executor, names = found["airflow"].get("executor", Airflow.executor), found["roles"].get(self.name, ())
        if executor == "CeleryExecutor" and names == ():
            yield "CeleryExecutor needs a worker; name a host, or set executor: LocalExecutor"
        if executor == "LocalExecutor" and names:
            yield "LocalExecutor does not use workers; remove them, or set executor: CeleryExecutor"

    def runs_tasks(self, inputs: Inputs) -> bool:
        return True

    def command(self, inputs: Inputs, host: Host) -> str:
        # Its default name is the machine's hostname, which two machines may share. Then neither of them can be queried,
        # and from version 3.24 of the Celery provider the second one is rejected.
        name = f"{inputs.catalogue.node_option} {inputs.known_as(host)}"
        queues = self._queues(host)
        return f"{super().command(inputs, host)} {name}" + (f" --queues {','.join(queues)}" if queues else "")

    def variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        variable = inputs.catalogue.variable
        variables: dict[str, str] = {}
        if inputs.broker_is_redis:
            given = inputs.given_variables(host, self.name)
            over_redis = {variable(*setting): value for setting, value in inputs.catalogue.over_redis.items()}
            variables |= {name: value for name, value in over_redis.items() if name not in given}
        if at_once := host.of_role.get(self.name, {}).get("concurrency"):
            variables[variable("celery", "worker_concurrency")] = str(at_once)
        return variables

    def before_start(self, inputs: Inputs, host: Host) -> tuple[Change, ...]:
        """Return the change that declares the host's queues in a database broker, so that workers can start at once.

        Each Celery worker looks for its queue's row and creates it if it is missing: of two that do so at once, one
        fails because of the other's row (kombu's sqlalchemy transport; seen with 5.6.2). Whether the broker is a
        database is decided on the node, because only a command in hosts.yaml may know its URL.
        """
        if inputs.fleet.roles["redis"]:
            return ()
        queues = self._queues(host)
        section = inputs.catalogue.variable("operators", "default_queue").split("__")[1].lower()
        declare = program("queues", queues=queues, section=section)
        what = f"the queues {', '.join(queues)}" if queues else "the default queue"
        late = quote(f"the broker, or the command that knows its URL, has not answered within {PATIENCE} s")
        script = (
            f"began=$(date +%s)\nif {python_program(inputs, declare, self.name, PATIENCE)}\nthen :; else\n"
            f"[ $(($(date +%s) - began)) -lt {PATIENCE} ] || echo {late}\nexit 1\nfi"
        )
        return (Change(f"declare {what} in the broker", script),)

    def _queues(self, host: Host) -> list[str]:
        return list(host.of_role.get(self.name, {}).get("queues", ()))

    def answers_on(self, inputs: Inputs) -> int:
        return LOGS.default

    def look(self, inputs: Inputs) -> str:
        """Return sh that prints whether its journal since its start contains Celery's message that it is ready."""
        this_start = f"_SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value {quote(self.unit(inputs))})"
        return (
            f"journalctl --no-pager -q -o cat {this_start} | head -c {READY_WITHIN} | "
            f"grep -qF {quote(READY)} && echo Ready=yes"
        )

    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        port, ready = LOGS.default, "Ready=yes" in seen.lines
        if why := refused(self.name, seen):
            return "waiting", f"port {port}: {why}"
        if not ready and seen.now - seen.state.started < SETTLES:
            return "waiting", "Celery is not ready yet"
        return "ok", f"Celery {'is ready' if ready else 'runs'}, log port {port} answers"


COMPONENT = Worker()
