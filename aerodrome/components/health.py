"""The health of a role on a host: its unit, and what Airflow itself reports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import field, replace
from typing import Any

from aerodrome.checks.left import LeftServices
from aerodrome.components.command import PATIENCE, connection, isolated_python
from aerodrome.components.component import AirflowRole, Seen
from aerodrome.components.inputs import Inputs
from aerodrome.components.units import unwanted_roles
from aerodrome.core.check import Finding, Verdict
from aerodrome.core.resource import PRELUDE, heredoc, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import UNEXPECTED
from aerodrome.fleet.model import Host
from aerodrome.program import program
from aerodrome.resources.retired import REASON, Retired, leftovers
from aerodrome.resources.systemd import PROPERTIES, UnitState, show

# Airflow's own limit for a scheduler ([scheduler] scheduler_health_check_threshold), in seconds.
HEARTBEAT_LIMIT = 30

LONGEST_DETAIL = 500  # characters

BETWEEN_LOOKS = 0.15  # seconds; one look costs a host about 40 ms
ASKS, LOOKED = "@ask", "@looked"  # end marks: of the shell's half of a look, and of a whole look


@dataclass(frozen=True)
class Health(Finding):
    """The health of one role on one host; `detail` describes what was seen."""

    host: str = field(kw_only=True)
    state: UnitState = UnitState()
    now: int = 0  # the host's clock, seconds since the epoch
    version: str = ""  # that its process runs, or else that the next one would
    body: dict[str, Any] | None = None  # the web server's health body
    reports: str = ""  # the name under which Airflow knows the host's tasks and jobs

    @property
    def role(self) -> str:
        return self.subject


def service_probe(unit: str, question: str) -> str:
    """Return sh that prints the host's time, the state of a unit, and the answer of the service behind it."""
    return f"{PRELUDE}date +%s\n{show(unit)}\necho\n{question}\n"


def read_service(answer: str) -> tuple[UnitState, int, str]:
    """Parse the output of `service_probe`: the unit's state, the host's time in seconds, and the service's answer."""
    head, _, rest = answer.partition("\n")
    unit, _, said = rest.partition("\n\n")
    return UnitState.parse(unit), int(head) if head.isdigit() else 0, said


def unreachable(host: str, role: str, why: str) -> Health:
    """Return the health of a role on a host that cannot be asked."""
    return Health(role, "failed", why, host=host, state=UnitState(active="unknown"))


@dataclass(frozen=True)
class Leftovers:
    """No unit of `roles` runs or is enabled where hosts.yaml does not have it, nor do `services`, which hold data."""

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
        units = {self.inputs.unit(role): role for role in self.inputs.fleet.roles if role in self.roles}
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
        """Return nothing for a host with roles, because those already report that it cannot be asked."""
        return [] if self.inputs.fleet.roles_of(self.host) else [unreachable(self.host.name, "-", why)]


@dataclass(frozen=True)
class RoleHealth:
    """All of `roles` on a host are healthy, according to their units and to Airflow itself."""

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
        """Return sh that prints each role's unit state, and then Airflow's own answers."""
        asks = _program(self.inputs, self.host, self.roles)
        python = isolated_python(self.inputs, "-", role=_asking(self.inputs, self.roles), seconds=PATIENCE)
        units = _ask_units(self.inputs, self.roles, lambda unit: f"runs {quote(unit)}")
        return f"{PRELUDE}{_RUNS}{units}{python} 2>/dev/null {heredoc(asks)}\n"

    def watch(self) -> str:
        """Return sh that prints one look after another until nobody reads it any more; `looks` splits its output.

        One exec, one Python process and one database session serve all looks. Python first reads its program from
        stdin, by length, and after it what the shell sees as root, look by look.
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
        """Parse the output of `probe`, role by role. An answer that cannot be parsed means not healthy."""
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
        verdict, detail = _judge(self.inputs, self.inputs.role(role), Seen(state, seen.now, answers, text.splitlines()))
        runs = _ENVIRONMENT.search(text)
        return replace(
            seen,
            version=runs[1] if runs else seen.version,
            subject=role,
            verdict=verdict,
            detail=detail,
            unit=self.inputs.unit(role),
            restarts=state.restarts,
            state=state,
            body=self.inputs.role(role).reported(answers),
            reports=str(answers.get("name", "")),
        )


# A process keeps the environment that it was started from, whatever the link names since. Looks at health that come
# one after another leave this out.
_RUNS = f"""\
runs() {{
state=$(TZ=UTC systemctl show -p {PROPERTIES} "$1"); printf '%s\\n' "$state"
pid=${{state##*MainPID=}}; grep -som 1 '/venvs/[^/]*' "/proc/${{pid%%[!0-9]*}}/maps"
}}
"""
_ENVIRONMENT = re.compile(r"^/venvs/([0-9A-Za-z.+]{1,32})-", re.MULTILINE)


def _asking(inputs: Inputs, roles: Sequence[str]) -> str:
    """Return the role in whose environment Airflow is asked: if possible, one that reaches the metadata database."""
    return next(filter(inputs.uses_database, roles), next(iter(roles), ""))


def _ask_units(inputs: Inputs, roles: Sequence[str], state: Callable[[str], str] = show) -> str:
    """Return sh that prints what root sees: the time, the environment in use, and the `state` of each role's unit."""
    units = "".join(f"{_ask_unit(inputs, role, state)}\n" for role in roles)
    return f"date +%s\nreadlink {quote(inputs.venv)} || echo\n{units}"


def _ask_unit(inputs: Inputs, role: str, state: Callable[[str], str]) -> str:
    return "; ".join(filter(None, [state(inputs.unit(role)), inputs.role(role).look(inputs), "echo"]))


def _program(inputs: Inputs, host: Host, roles: Sequence[str], watch: bool = False) -> str:
    ask: dict[str, object] = {"name": True}
    if any(map(inputs.uses_database, roles)):
        ask["jobs"] = True
    for role in roles:
        ask |= inputs.role(role).asks(inputs, host)
    if ports := {role: port for role in roles if (port := inputs.role(role).answers_on(inputs))}:
        ask["ports"] = ports
    hostname_callable = inputs.catalogue.variable("core", "hostname_callable")
    marks = {"asks": ASKS, "looked": LOOKED} if watch else {}
    return program("health", ask=ask, hostname_callable=hostname_callable, **marks, **connection(inputs))


def _judge(inputs: Inputs, role: AirflowRole, seen: Seen) -> tuple[Verdict, str]:
    state = seen.state
    if state.active == "failed" or state.sub == "auto-restart":
        return "failed", f"the unit is {state.active} ({state.sub}), restarted {state.restarts} times"
    if state.active != "active":
        return "waiting", f"the unit is {state.active or 'not there'}"
    if inputs.uses_database(role.name) and "jobs" not in seen.answers:
        return "waiting", seen.answers.get("jobs_error", "the metadata database was not queried")
    return role.judge(seen)


def refused(role: str, seen: Seen) -> str:
    """Return why the port of a role accepts no connection; empty if it does."""
    return str(seen.answers.get("ports", {}).get(role, seen.answers.get("ports_error", "not asked")))


def heartbeat(kind: str, seen: Seen) -> tuple[Verdict, str]:
    """Judge a role by the heartbeat of its job in the metadata database."""
    job = seen.answers["jobs"].get(kind)
    # A row of the previous process may still look fresh.
    if job is None or job["started"] < seen.state.started - 1:
        return "waiting", "no heartbeat yet"
    age = f"heartbeat {job['age']:.0f} s ago"
    return ("ok" if job["age"] <= HEARTBEAT_LIMIT else "waiting"), age


def fleet_wide(inputs: Inputs, health: Health) -> Health:
    """Return a role's health as part of the fleet's: not healthy if it reports that another role is unhealthy."""
    parts = parts_of(health.body or {})
    sick = [
        role.name
        for role in inputs.version_roles
        if role.job and parts.get(role.name.replace("-", "_")) == "unhealthy" and inputs.fleet.roles[role.name]
    ]
    return replace(health, verdict="waiting") if sick and health.ok else health


def parts_of(body: dict[str, Any]) -> dict[str, Any]:
    """Return the status of each component that the web server's health body lists."""
    return {name: part.get("status") for name, part in body.items() if isinstance(part, dict)}
