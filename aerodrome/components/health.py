"""Whether a role is healthy on a host: its unit, and what Airflow itself says."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import field, replace
from typing import Any

from aerodrome.catalogue.version import JOBS
from aerodrome.checks.left import LeftServices
from aerodrome.components.command import PATIENCE, connection, isolated_python
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import from_itself, in_url
from aerodrome.components.roles import unwanted_roles
from aerodrome.core.check import Finding, Verdict
from aerodrome.core.resource import PRELUDE, heredoc, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED
from aerodrome.fleet.model import ROLES, Host
from aerodrome.program import program
from aerodrome.resources.retired import REASON, Retired, leftovers
from aerodrome.resources.systemd import UnitState, show

# Airflow's own threshold for a scheduler ([scheduler] scheduler_health_check_threshold), seconds.
HEARTBEAT_LIMIT = 30
# The port on which a worker shows its tasks' logs ([logging] worker_log_server_port).
WORKER_PORT = 8793
# Celery's word that a worker takes tasks; its log port answers before that, and it may die in between.
READY = " ready."
# Bytes of its journal in which that word is looked for. Tasks can fill a journal with gigabytes, and push the word out
# of it: to look through all of that takes minutes.
READY_WITHIN = 1_000_000
# Seconds after which a worker that still runs is taken for ready, where its log level hides that word.
WORKER_SETTLES = 60

LONGEST_DETAIL = 500  # characters

BETWEEN_LOOKS = 0.15  # seconds; a look takes about 40 ms of a host
ASKS, LOOKED = "@ask", "@looked"  # what a look of the shell ends with, and what one of both


@dataclass(frozen=True)
class Health(Finding):
    """The health of one role on one host; `detail` says in words what was seen."""

    host: str = field(kw_only=True)
    state: UnitState = UnitState()
    now: int = 0  # the host's clock, seconds since the epoch
    version: str = ""
    body: dict[str, Any] | None = None  # the web server's health body
    reports: str = ""  # the name under which the host's tasks and jobs are known to Airflow

    @property
    def role(self) -> str:
        return self.subject


def service_probe(unit: str, question: str) -> str:
    """Return sh that prints the host's time, the state of a unit, and what the service behind it answers."""
    return f"{PRELUDE}date +%s\n{show(unit)}\necho\n{question}\n"


def read_service(answer: str) -> tuple[UnitState, int, str]:
    """Read what `service_probe` printed: the unit's state, the host's time in seconds, and the service's answer."""
    head, _, rest = answer.partition("\n")
    unit, _, said = rest.partition("\n\n")
    return UnitState.parse(unit), int(head) if head.isdigit() else 0, said


def unreachable(host: str, role: str, why: str) -> Health:
    """Return what is known of a role on a host that cannot be asked."""
    return Health(role, "failed", why, host=host, state=UnitState(active="unknown"))


@dataclass(frozen=True)
class Leftovers:
    """No unit of `roles` runs, or is enabled, where hosts.yaml does not have it; nor do `services`, which hold data."""

    inputs: Inputs
    host: Host
    roles: Collection[str]
    services: LeftServices

    @property
    def key(self) -> str:
        return f"leftovers of {self.inputs.fleet.airflow.service}"

    def probe(self) -> str:
        units = tuple(self.inputs.unit(role) for role in unwanted_roles(self.inputs, self.host))
        return f"{PRELUDE}{Retired(units, units).probe()}\n{self.services.probe()}\n"

    def judge(self, answer: str) -> list[Finding]:
        units = {self.inputs.unit(role): role for role in ROLES if role in self.roles}
        detail = f"{REASON}: fab deploy stops and disables it"
        found: list[Finding] = [
            Health(
                units[unit],
                "failed",
                detail,
                host=self.host.name,
                unit=unit,
                restarts=state.restarts,
                state=state,
                now=state.now,
            )
            for unit, state in leftovers(answer)
            if unit in units
        ]
        return found + self.services.judge(answer)

    def unknown(self, why: str) -> list[Health]:
        """Return nothing for a host with roles: those say already that it cannot be asked."""
        return [] if self.inputs.fleet.roles_of(self.host) else [unreachable(self.host.name, "-", why)]


@dataclass(frozen=True)
class RoleHealth:
    """Every one of `roles` on a host is healthy: its unit, and what Airflow itself says."""

    inputs: Inputs
    host: Host
    roles: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"health of {', '.join(self.roles)}"

    @property
    def subjects(self) -> tuple[str, ...]:
        return self.roles

    def only(self, subjects: Sequence[str]) -> RoleHealth:
        return replace(self, roles=tuple(subjects))

    def probe(self) -> str:
        """Return sh that prints, for each role, its unit's state, and then Airflow's own answers."""
        asks = _program(self.inputs, self.host, self.roles)
        python = isolated_python(self.inputs, "-", role=_asking(self.inputs, self.roles), seconds=PATIENCE)
        return f"{PRELUDE}{_ask_units(self.inputs, self.roles)}{python} 2>/dev/null {heredoc(asks)}\n"

    def watch(self) -> str:
        """Return sh that looks again and again, until nobody reads it any more: `looks` parts what it prints.

        One exec, one Python and one session of the database serve all looks. The program comes first on Python's
        standard input, as bytes that it counts; after it what the shell sees as root, look by look.
        """
        looks = _program(self.inputs, self.host, self.roles, watch=True)
        start = f"import sys; exec(sys.stdin.buffer.read({len(looks.encode())}))"
        python = isolated_python(self.inputs, "-c", start, role=_asking(self.inputs, self.roles))
        return (
            f"{PRELUDE}{{ cat {heredoc(looks)}\nwhile :; do\n{_ask_units(self.inputs, self.roles)}"
            f"echo {ASKS} || exit; sleep {BETWEEN_LOOKS}\ndone; }} | {python} 2>/dev/null\n"
        )

    def looks(self, text: str) -> tuple[list[str], str]:
        *looks, rest = text.split(f"\n{LOOKED}\n")
        return looks, rest

    def judge(self, answer: str) -> list[Health]:
        """Read what `probe` printed, role by role; an answer that cannot be read is not a healthy one."""
        try:
            found = self._read(answer)
            json.dumps([each.body for each in found], indent=2)  # as `status --json` prints it
        except UNEXPECTED as error:
            why = f"cannot parse the host's answer ({type(error).__name__})"
            return [
                Health(role, "waiting", why, host=self.host.name, unit=self.inputs.unit(role)) for role in self.roles
            ]
        return [replace(each, detail=each.detail[:LONGEST_DETAIL]) for each in found]

    def unknown(self, why: str) -> list[Health]:
        return [unreachable(self.host.name, role, why) for role in self.roles]

    def _read(self, output: str) -> list[Health]:
        head, _, rest = output.partition("\n")
        link, _, rest = rest.partition("\n")
        roles = self.roles
        whole = rest.count("\n\n") >= len(roles)
        *units, answer = rest.split("\n\n", len(roles)) if whole else [*[""] * len(roles), ""]
        try:
            answers = json.loads(answer.strip() or "{}")
        except ValueError:
            answers = {}
        now = int(head) if head.isdigit() else 0
        version = link.rpartition("/")[2].split("-")[0]
        seen = Health("", "waiting", "", host=self.host.name, now=now, version=version)
        return [self._judged(seen, role, text, answers) for role, text in zip(roles, units, strict=True)]

    def _judged(self, seen: Health, role: str, text: str, answers: dict[str, Any]) -> Health:
        state = UnitState.parse(text)
        ready = "Ready=yes" in text.splitlines()
        verdict, detail = _judge(role, state, seen.now, answers, ready, self.inputs.uses_database(role))
        return replace(
            seen,
            subject=role,
            verdict=verdict,
            detail=detail,
            unit=self.inputs.unit(role),
            restarts=state.restarts,
            state=state,
            body=answers.get("web") if role == "webserver" else None,
            reports=str(answers.get("name", "")),
        )


def _asking(inputs: Inputs, roles: Sequence[str]) -> str:
    """Return the role in whose environment Airflow is asked: one that reaches the metadata database, where any does."""
    return next(filter(inputs.uses_database, roles), next(iter(roles), ""))


def _ask_units(inputs: Inputs, roles: Sequence[str]) -> str:
    """Return sh that prints what root sees: the time, the environment in use, and the state of each role's unit."""
    units = "".join(f"{_ask_unit(inputs, role)}\n" for role in roles)
    return f"date +%s\nreadlink {quote(inputs.venv)} || echo\n{units}"


def _ask_unit(inputs: Inputs, role: str) -> str:
    unit = inputs.unit(role)
    if role != "worker":
        return f"{show(unit)}; echo"
    this_start = f"_SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value {quote(unit)})"
    return (
        f"{show(unit)}; journalctl --no-pager -q -o cat {this_start} | head -c {READY_WITHIN} | "
        f"grep -qF {quote(READY)} && echo Ready=yes; echo"
    )


def _program(inputs: Inputs, host: Host, roles: Sequence[str], watch: bool = False) -> str:
    ask: dict[str, object] = {"name": True}
    if any(map(inputs.uses_database, roles)):
        ask["jobs"] = True
    if "webserver" in roles:
        port, path = inputs.fleet.airflow.web_port, inputs.catalogue.health_path
        ask["web"] = f"http://{in_url(from_itself(host))}:{port}{path}"
    if "worker" in roles:
        ask["worker"] = WORKER_PORT
    hostname_callable = inputs.catalogue.variable("core", "hostname_callable")
    marks = {"asks": ASKS, "looked": LOOKED} if watch else {}
    return program("health", ask=ask, hostname_callable=hostname_callable, **marks, **connection(inputs))


def _judge(
    role: str, state: UnitState, now: int, answers: dict[str, Any], ready: bool, database: bool
) -> tuple[Verdict, str]:
    if state.active == "failed" or state.sub == "auto-restart":
        return "failed", f"the unit is {state.active} ({state.sub}), restarted {state.restarts} times"
    if state.active != "active":
        return "waiting", f"the unit is {state.active or 'not there'}"
    if database and "jobs" not in answers:
        return "waiting", answers.get("jobs_error", "the metadata database was not queried")
    if role in JOBS:
        return _judge_job(JOBS[role], state, answers)
    if role == "webserver":
        return _judge_web(answers)
    if role == "worker":
        return _judge_worker(state, now, answers, ready)
    return "failed", f"there is no health check for the role {role}"


def _judge_worker(state: UnitState, now: int, answers: dict[str, Any], ready: bool) -> tuple[Verdict, str]:
    if "worker" not in answers:
        return "waiting", f"port {WORKER_PORT}: {answers.get('worker_error', 'not checked')}"
    if not ready and now - state.started < WORKER_SETTLES:
        return "waiting", "Celery is not ready yet"
    return "ok", f"Celery {'is ready' if ready else 'runs'}, log port {WORKER_PORT} answers"


def _judge_job(kind: str, state: UnitState, answers: dict[str, Any]) -> tuple[Verdict, str]:
    job = answers["jobs"].get(kind)
    # A row of the process before this one may still look fresh.
    if job is None or job["started"] < state.started - 1:
        return "waiting", "no heartbeat yet"
    age = f"heartbeat {job['age']:.0f} s ago"
    return ("ok" if job["age"] <= HEARTBEAT_LIMIT else "waiting"), age


def _judge_web(answers: dict[str, Any]) -> tuple[Verdict, str]:
    # Airflow answers 200 whatever its health: the body counts.
    if "web" not in answers:
        return "waiting", answers.get("web_error", "not asked")
    parts = _reported(answers["web"])
    told = ", ".join(f"{name} {status}" for name, status in sorted(parts.items()) if status)
    # Of its own start: it may come up before what it reports on.
    return ("ok" if parts.get("metadatabase") == "healthy" else "waiting"), told


def fleet_wide(inputs: Inputs, health: Health) -> Health:
    """Return a role's health as part of the fleet's: not healthy if it is a web server that reports a sick role."""
    parts = _reported(health.body or {})
    sick = [
        name
        for name in ("scheduler", "triggerer", "dag_processor")
        if parts.get(name) == "unhealthy" and inputs.fleet.roles[name.replace("_", "-")]
    ]
    return replace(health, verdict="waiting") if sick and health.ok else health


def _reported(body: dict[str, Any]) -> dict[str, Any]:
    """Return the status of each part that the web server's health body reports on."""
    return {name: part.get("status") for name, part in body.items() if isinstance(part, dict)}
