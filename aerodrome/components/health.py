"""Whether a role is healthy on a host: its unit, and what Airflow itself says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from aerodrome.catalogue.version import JOBS
from aerodrome.components.command import PATIENCE, connection, isolated_python
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import from_itself, in_url
from aerodrome.components.roles import unwanted_roles
from aerodrome.core.resource import PRELUDE, heredoc, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED
from aerodrome.fleet.model import ROLES, Host
from aerodrome.resources.postgres import literal, sql
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

Verdict = Literal["healthy", "waiting", "failed"]


@dataclass(frozen=True)
class Health:
    """The health of one role on one host; `detail` says in words what was seen."""

    host: str
    role: str
    unit: str
    state: UnitState
    now: int  # the host's clock, seconds since the epoch
    version: str
    verdict: Verdict
    detail: str
    body: dict[str, Any] | None = None  # the web server's health body
    reports: str = ""  # the name under which the host's tasks and jobs are known to Airflow

    @property
    def healthy(self) -> bool:
        return self.verdict == "healthy"


def unreachable(host: str, role: str, why: str) -> Health:
    """Return what is known of a role on a host that cannot be asked."""
    return Health(host, role, "", UnitState(active="unknown"), 0, "", "failed", why)


def leftover_script(inputs: Inputs, host: Host) -> str:
    """Return sh that prints the state of each unit that runs, or is enabled, where hosts.yaml does not have it."""
    units = tuple(inputs.unit(role) for role in unwanted_roles(inputs, host))
    return f"{PRELUDE}{Retired(units, units).probe()}\n"


def leftover_health(inputs: Inputs, host: str, output: str) -> list[Health]:
    """Read what `leftover_script` printed; what is not wanted is not healthy."""
    roles = {inputs.unit(role): role for role in ROLES}
    detail = f"{REASON}: fab deploy stops and disables it"
    return [
        Health(host, roles[unit], unit, state, state.now, "", "failed", detail)
        for unit, state in leftovers(output)
        if unit in roles
    ]


def health_script(inputs: Inputs, host: Host, roles: Sequence[str]) -> str:
    """Return sh that prints, for each role of a host, its unit's state, and then Airflow's own answers."""
    python = isolated_python(inputs, "-", role=_asking(inputs, roles), seconds=PATIENCE)
    return f"{PRELUDE}{_ask_units(inputs, roles)}{python} 2>/dev/null {heredoc(_program(inputs, host, roles))}\n"


def watch_script(inputs: Inputs, host: Host, roles: Sequence[str]) -> str:
    """Return sh that looks again and again, until nobody reads it any more: `read_looks` parts what it prints.

    One exec, one Python and one session of the database serve all looks. The program comes first on Python's standard
    input, as bytes that it counts; after it what the shell sees as root, look by look.
    """
    program = _program(inputs, host, roles, watch=True)
    start = f"import sys; exec(sys.stdin.buffer.read({len(program.encode())}))"
    python = isolated_python(inputs, "-c", start, role=_asking(inputs, roles))
    return (
        f"{PRELUDE}{{ cat {heredoc(program)}\nwhile :; do\n{_ask_units(inputs, roles)}"
        f"echo {ASKS} || exit; sleep {BETWEEN_LOOKS}\ndone; }} | {python} 2>/dev/null\n"
    )


def read_looks(text: str) -> tuple[list[str], str]:
    """Return the whole looks of what `watch_script` has printed, each for `read_health`, and what follows them."""
    *looks, rest = text.split(f"\n{LOOKED}\n")
    return looks, rest


def database_health_script(inputs: Inputs) -> str:
    """Return sh that prints the state of PostgreSQL's unit, its version and the sessions of our user."""
    users = [inputs.fleet.database.user, *([inputs.celery_user] if inputs.celery_has_database else [])]
    names = ", ".join(map(literal, users))
    query = (
        "SELECT current_setting('server_version'), "
        f"(SELECT count(*) FROM pg_stat_activity WHERE usename IN ({names})), "
        "current_setting('max_connections'), extract(epoch FROM pg_postmaster_start_time())::bigint;"
    )
    return f"{PRELUDE}date +%s\n{show('postgresql.service')}\necho\n{sql(query)}\n"


def read_database_health(host: str, output: str) -> Health:
    """Read what `database_health_script` printed."""
    head, _, rest = output.partition("\n")
    unit, _, row = rest.partition("\n\n")
    state, now = UnitState.parse(unit), int(head) if head.isdigit() else 0
    if row.count("|") != 3:
        return Health(host, "database", "postgresql.service", state, now, "", "failed", "PostgreSQL does not answer")
    version, sessions, limit, started = row.strip().split("|")
    state = replace(state, started=int(started))
    detail = f"answers, {sessions} of {limit} connections are Airflow's"
    return Health(host, "database", "postgresql.service", state, now, version.split()[0], "healthy", detail)


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
    from aerodrome.render import render

    ask: dict[str, object] = {"name": True}
    if any(map(inputs.uses_database, roles)):
        ask["jobs"] = True
    if "webserver" in roles:
        port, path = inputs.fleet.airflow.web_port, inputs.catalogue.health_path
        ask["web"] = f"http://{in_url(from_itself(host))}:{port}{path}"
    if "worker" in roles:
        ask["worker"] = WORKER_PORT
    names = {"callable_variable": inputs.catalogue.variable("core", "hostname_callable")}
    marks = {"watch": watch, "asks": ASKS, "looked": LOOKED}
    return render("health.py.j2", ask=repr(json.dumps(ask)), **names, **marks, **connection(inputs))


def read_health(inputs: Inputs, host: str, roles: Sequence[str], output: str) -> list[Health]:
    """Read what `health_script` printed, role by role; an answer that cannot be read is not a healthy one."""
    try:
        found = _read_health(inputs, host, roles, output)
        json.dumps([each.body for each in found], indent=2)  # as `status --json` prints it
    except UNEXPECTED as error:
        why = f"the host's answer cannot be read ({type(error).__name__})"
        return [Health(host, role, inputs.unit(role), UnitState(), 0, "", "waiting", why) for role in roles]
    return [replace(each, detail=each.detail[:LONGEST_DETAIL]) for each in found]


def _read_health(inputs: Inputs, host: str, roles: Sequence[str], output: str) -> list[Health]:
    head, _, rest = output.partition("\n")
    link, _, rest = rest.partition("\n")
    *units, answer = rest.split("\n\n", len(roles)) if rest.count("\n\n") >= len(roles) else [*[""] * len(roles), ""]
    try:
        answers = json.loads(answer.strip() or "{}")
    except ValueError:
        answers = {}
    now = int(head) if head.isdigit() else 0
    version = link.rpartition("/")[2].split("-")[0]
    found = []
    for role, text in zip(roles, units, strict=True):
        state = UnitState.parse(text)
        ready = "Ready=yes" in text.splitlines()
        verdict, detail = _judge(role, state, now, answers, ready, inputs.uses_database(role))
        body = answers.get("web") if role == "webserver" else None
        unit, reports = inputs.unit(role), str(answers.get("name", ""))
        found.append(Health(host, role, unit, state, now, version, verdict, detail, body, reports))
    return found


def _judge(
    role: str, state: UnitState, now: int, answers: dict[str, Any], ready: bool, database: bool
) -> tuple[Verdict, str]:
    if state.active == "failed" or state.sub == "auto-restart":
        return "failed", f"the unit is {state.active} ({state.sub}), restarted {state.restarts} times"
    if state.active != "active":
        return "waiting", f"the unit is {state.active or 'not there'}"
    if database and "jobs" not in answers:
        return "waiting", answers.get("jobs_error", "the metadata database was not asked")
    if role in JOBS:
        return _judge_job(JOBS[role], state, answers)
    if role == "webserver":
        return _judge_web(answers)
    if "worker" not in answers:
        return "waiting", f"port {WORKER_PORT}: {answers.get('worker_error', 'not asked')}"
    if not ready and now - state.started < WORKER_SETTLES:
        return "waiting", "Celery is not ready yet"
    return "healthy", f"Celery {'is ready' if ready else 'runs'}, log port {WORKER_PORT} answers"


def _judge_job(kind: str, state: UnitState, answers: dict[str, Any]) -> tuple[Verdict, str]:
    job = answers["jobs"].get(kind)
    # A row of the process before this one may still look fresh.
    if job is None or job["started"] < state.started - 1:
        return "waiting", "no heartbeat yet"
    age = f"heartbeat {job['age']:.0f} s ago"
    return ("healthy" if job["age"] <= HEARTBEAT_LIMIT else "waiting"), age


def _judge_web(answers: dict[str, Any]) -> tuple[Verdict, str]:
    # Airflow answers 200 whatever its health: the body counts.
    if "web" not in answers:
        return "waiting", answers.get("web_error", "not asked")
    parts = _reported(answers["web"])
    told = ", ".join(f"{name} {status}" for name, status in sorted(parts.items()) if status)
    # Of its own start: it may come up before what it reports on.
    return ("healthy" if parts.get("metadatabase") == "healthy" else "waiting"), told


def fleet_wide(inputs: Inputs, health: Health) -> Health:
    """Return a role's health as part of the fleet's: not healthy if it is a web server that reports a sick role."""
    parts = _reported(health.body or {})
    sick = [
        name
        for name in ("scheduler", "triggerer", "dag_processor")
        if parts.get(name) == "unhealthy" and inputs.fleet.roles[name.replace("_", "-")]
    ]
    return replace(health, verdict="waiting") if sick and health.healthy else health


def _reported(body: dict[str, Any]) -> dict[str, Any]:
    """Return the status of each part that the web server's health body reports on."""
    return {name: part.get("status") for name, part in body.items() if isinstance(part, dict)}
