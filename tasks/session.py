"""The common start of every task: the fleet, the selected hosts, the values, the connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from aerodrome.components.inputs import Inputs
    from aerodrome.controller.keyring import Vault
    from aerodrome.core.event import Outcome
    from aerodrome.core.record import Recorder
    from aerodrome.core.runbook import Runbook
    from aerodrome.engine.converge import Run
    from aerodrome.engine.lock import FleetLock
    from aerodrome.fleet.model import Fleet, Host
    from aerodrome.remote.connection import Connections
    from aerodrome.report.json_lines import JsonLines
    from aerodrome.report.terminal import Terminal
    from aerodrome.secrets import Secret, SecretValue

T = TypeVar("T")
# Builds a runbook from the components' inputs, for hosts and roles by name.
Builder = Callable[["Inputs", Sequence[str], Sequence[str]], "Runbook"]
WAIT = {"wait": "how long to wait while another run is changing the fleet: 90s, 15m, 2h (default: deploy.lock_timeout)"}
ROLE = {"role": "only this role (several: scheduler,worker)"}
JSON = {"json": "print events as JSON lines on stdout (their keys: python -m pydoc aerodrome.report.json_lines)"}
FORCE = {"force": "exit with 0 even if tasks that outlast deploy.drain_timeout are killed"}


@dataclass
class Session:
    """One run of a task over the fleet of hosts.yaml."""

    fleet: Fleet
    hosts: list[Host]  # those selected with -H, or all
    vault: Vault
    performing: str = "fab"  # what this run does, as shown to other runs
    wait: int | None = None  # seconds to wait for another run; None: as in hosts.yaml
    lines: JsonLines | None = None  # prints the run's events for programs instead of people
    outcome: Outcome | None = None  # of a run that changes no host

    @cached_property
    def inputs(self) -> Inputs:
        """The values that components need; looking them up may prompt, or run the operator's commands."""
        from tasks.values import look_up

        return look_up(self.fleet, self.vault)

    @cached_property
    def connections(self) -> Connections:
        """The connections of this run, each opened when it is first used."""
        from aerodrome.controller.known_hosts import KnownHosts
        from aerodrome.remote.connection import Connections

        return Connections(self.fleet, self.secret, KnownHosts(self.fleet.ssh.known_hosts))

    def connect(self, roles: Sequence[str]) -> None:
        """Start connecting to the selected hosts with one of `roles`, while their questions are prepared."""
        self.connections.begin([host for host in self.hosts if not {*roles}.isdisjoint(self.fleet.roles_of(host))])

    @cached_property
    def sink(self) -> Terminal | JsonLines:
        """The sink of the run's events."""
        if self.lines:
            return self.lines

        from aerodrome.report.sink import can_draw

        if can_draw():
            from aerodrome.report.live import Live

            return Live(self.names)

        from aerodrome.report.terminal import Terminal

        return Terminal(self.names)

    @cached_property
    def run(self) -> Run:
        """The engine: ask, plan, apply, ask again."""
        from aerodrome.components.hints import HINTS
        from aerodrome.engine.converge import Run

        emit = self.sink.emit
        return Run(self.connections, emit, self.lock(), self.recorder, HINTS, before_change=self.vault.keep)

    def lock(self, breaks: bool = False) -> FleetLock:
        """Return the fleet's lock; with `breaks`, take it from a killed run, and do not wait for other runs."""
        from aerodrome.engine.lock import FleetLock

        patience = self.fleet.deploy.lock_timeout if self.wait is None else self.wait
        emit, host = self.sink.emit, self.fleet.lock_host
        return FleetLock(self.connections, host, 0 if breaks else patience, emit, force=breaks)

    @cached_property
    def recorder(self) -> Recorder:
        """The recorder of who did what."""
        from datetime import UTC, datetime

        from aerodrome.controller.origin import digest_of, version
        from aerodrome.controller.performer import performer
        from aerodrome.core.record import Caller, Origin, Recorder, run_id
        from aerodrome.report.sink import redactor

        def origin() -> Origin:
            return Origin(digest_of(self.fleet.source), version())

        run = run_id(datetime.now(UTC))
        return Recorder(run, Caller(performer(), self.performing), origin, redactor.hide)

    def renew(self) -> None:
        """Begin another run, with a record of its own: a task may perform several runbooks."""
        for name in ("run", "recorder"):
            self.__dict__.pop(name, None)

    def adopting(self, work: Callable[[], T]) -> T:
        """Run `work`. If hosts turn out to have their own Fernet keys, adopt these and run it again."""
        from aerodrome.checks.keys import KeysFound
        from aerodrome.core.event import Note
        from aerodrome.errors import FleetError
        from aerodrome.report.sink import redactor

        while True:
            try:
                return work()
            except FleetError as error:
                found = {failure.host: failure.refusal for failure in error.failures}
                keys = {host: each.keys for host, each in found.items() if isinstance(each, KeysFound)}
                if not keys:
                    raise
            self.vault.adopt(redactor.know(key) for each in keys.values() for key in each)
            for host in keys:
                text = f"{host}: has its own Fernet key, which is added to the fleet's on all nodes"
                self.sink.emit(Note("", text))
            for name in ("inputs", "run"):  # to be rebuilt with these keys
                self.__dict__.pop(name, None)

    def begin(self) -> None:
        """Emit that the run begins."""
        from aerodrome.core.event import RunBegan

        recorder = self.recorder
        self.sink.emit(RunBegan(recorder.run, recorder.caller.performer, self.performing, tuple(self.names)))

    def tell(self, text: str) -> None:
        """Say how the run has ended: a line for people, a note for programs."""
        from aerodrome.core.event import Note
        from aerodrome.report.sink import say

        if self.lines:
            self.lines.emit(Note("", text))
        else:
            say(text)

    def perform(self, build: Builder, roles: Sequence[str]) -> None:
        """Perform the runbook that `build` returns for the selected hosts and `roles`; report whether anything changed.

        Raises FleetError at the end if running tasks were killed, unless the runbook allows it.
        """
        from aerodrome.core.event import Note
        from aerodrome.core.size import counted
        from aerodrome.engine.perform import perform
        from aerodrome.errors import FleetError, InvalidInput
        from aerodrome.report.terminal import say

        noted = False
        self.begin()

        def work() -> tuple[Runbook, bool]:
            nonlocal noted
            runbook = build(self.inputs, self.names, roles)
            for note in () if noted else runbook.notes:
                self.sink.emit(Note("", note))
            noted = True
            if not runbook.stages:
                raise InvalidInput(
                    "no selected host has a role for this task", "check roles in hosts.yaml, -H and --role"
                )
            if not runbook.secrets:
                self.run.before_change = lambda: None
            return runbook, perform(self.run, runbook)

        runbook, changed = self.adopting(work)
        if not self.lines:
            say(f"done: {counted(len(self.run.changed), 'host')} changed" if changed else "no changes")
        if self.run.killed and not runbook.force:
            raise FleetError(self.run.killed)

    @property
    def changed(self) -> list[str]:
        """The names of the hosts on which something has changed."""
        run = self.__dict__.get("run")
        return [name for name in self.fleet.hosts if run and name in run.changed]

    @property
    def names(self) -> list[str]:
        """The names of the selected hosts."""
        return [host.name for host in self.hosts]

    def with_role(self, role: str) -> list[Host]:
        """Return the selected hosts with `role`."""
        return [host for host in self.hosts if host.name in self.fleet.roles[role]]

    def secret(self, value: SecretValue) -> Secret:
        """Look up a secret, and mask it in all output from then on."""
        from aerodrome.report.sink import paused
        from aerodrome.secrets import Reference
        from tasks.values import hidden

        asks = isinstance(value, Reference) and value.kind == "prompt"
        with paused() if asks else nullcontext():
            return hidden(self.vault, value)


@contextmanager
def session(context: Any, wait: str | None = None, json: bool = False) -> Iterator[Session]:
    """Read hosts.yaml and select the hosts of `-H`; close every connection at the end.

    `wait` is how long to wait for another run that is changing the fleet, as in `--wait`; with `json`, the run's events
    and its outcome are printed for programs.
    """
    if not json:
        with _session(context, wait) as begun:
            yield begun
        return

    from aerodrome.report.json_lines import JsonLines
    from tasks.outcome import outcome

    lines = JsonLines()
    made: list[Session] = []
    ended = outcome(lines.emit, lambda: made[0].changed if made else [], lambda: made[0].outcome)
    with ended, _session(context, wait, lines) as begun:
        made.append(begun)
        yield begun
    lines.close()


@contextmanager
def _session(context: Any, wait: str | None, lines: JsonLines | None = None) -> Iterator[Session]:
    from aerodrome.components.registry import components
    from aerodrome.controller.hosts_file import load
    from aerodrome.controller.keyring import Vault

    fleet = load(components().values())
    hosts, performing = pick(fleet, context.config.get("selected_hosts", [])), context.config.get("performing", "fab")
    begun = Session(fleet, hosts, Vault(fleet), performing, None if wait is None else seconds(wait), lines)
    try:
        yield begun
    finally:
        if "sink" in begun.__dict__ and not lines:
            begun.sink.close()
        if "connections" in begun.__dict__:
            begun.connections.close()


def seconds(wait: str) -> int:
    """Parse the value of `--wait`: `90`, `90s`, `15m`, `2h`.

    Raises InvalidInput for anything else.
    """
    from aerodrome.errors import InvalidInput

    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (wait[:-1], wait[-1]) if wait[-1:] in units else (wait, "s")
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise InvalidInput(f"--wait: {wait[:40]} is not a duration", "--wait=90s, --wait=15m or --wait=2h")
    return int(number) * units[unit]


def pick(fleet: Fleet, names: list[str]) -> list[Host]:
    """Return the hosts with these names (`@worker`: all of a role), or all hosts.

    Raises InvalidInput, before any connection, for a name that hosts.yaml does not have.
    """
    from aerodrome.errors import InvalidInput

    if not names:
        return list(fleet.hosts.values())
    picked: set[str] = set()
    for name in names:
        if name.startswith("@") and name[1:] in fleet.roles:
            picked.update(fleet.roles[name[1:]])
        elif name in fleet.hosts:
            picked.add(name)
        else:
            near = get_close_matches(name, fleet.hosts)
            known = f"did you mean {near[0]}?" if near else f"hosts are {', '.join(fleet.hosts)}"
            raise InvalidInput(f"{fleet.source}: there is no host {name}", known)
    return [host for host in fleet.hosts.values() if host.name in picked]


def pick_roles(fleet: Fleet, role: str | None, unused: bool = False) -> list[str]:
    """Return the roles in `--role`, separated by commas, or all roles.

    Raises InvalidInput for an unknown role, and for one that no host in hosts.yaml has, unless `unused` allows it.
    """
    from aerodrome.errors import InvalidInput

    if role is None:
        return list(fleet.roles)
    roles = [name.strip() for name in role.split(",")]
    for name in roles:
        if name not in fleet.roles:
            raise InvalidInput(f"--role: there is no role {name}", f"roles are {', '.join(fleet.roles)}")
        if not fleet.roles[name] and not unused:
            raise InvalidInput(f"--role: no host of {fleet.source} has the role {name}")
    return roles


def check_downtime(run: Session, role: str | None, accept_downtime: bool) -> None:
    """Refuse to change Airflow's version in only part of the fleet: the rest would keep the other version."""
    from aerodrome.errors import InvalidInput

    if accept_downtime and (role or len(run.hosts) < len(run.fleet.hosts)):
        raise InvalidInput("--accept-downtime is for the whole fleet", "run without -H and --role")


def perform(
    context: Any,
    build: Builder,
    role: str | None = None,
    wait: str | None = None,
    unused: bool = False,
    json: bool = False,
) -> None:
    """Perform the runbook that `build` returns for the hosts of -H and the roles of --role.

    `unused` allows roles that no host has. `json` prints the run's events for programs.
    """
    with session(context, wait, json) as run:
        roles = pick_roles(run.fleet, role, unused)
        run.perform(build, roles)
