"""Ask hosts, apply what differs and ask again; `perform` says in which order."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from aerodrome.core.check import Check, Finding, Watch
from aerodrome.core.event import Doing, Emit, Failed, Idle, Killed, StillWaiting
from aerodrome.core.lock import lock_step
from aerodrome.core.plan import HostPlan, PlannedChange, apply_script, plan_host, probe_script, read_probe, steps_asked
from aerodrome.core.record import Recorder
from aerodrome.core.resource import Settling
from aerodrome.core.step import Step
from aerodrome.engine.gate import Gatekeeper, journal
from aerodrome.engine.lock import Lock
from aerodrome.engine.progress import Progress
from aerodrome.engine.words import hint, last_words
from aerodrome.errors import AerodromeError, FleetError, HostError, reading
from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.limits import Limit
from aerodrome.remote.parallel import each
from aerodrome.remote.run import run

T = TypeVar("T")

ROUNDS = 3  # rounds before a host is reported as not converging


class Run:
    """One run over the fleet: its connections, what it has asked and what it has changed."""

    def __init__(
        self,
        connections: Connections,
        emit: Emit,
        lock: Lock,
        recorder: Recorder,
        hints: Mapping[str, str] = MappingProxyType({}),
        before_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what the run works with; `before_change` is called before hosts of a stage are changed.

        `hints` says what to do about failures, by a sign in what a program has printed.
        """
        self.connections = connections
        self.fleet = connections.fleet
        self.emit = emit
        self.changed: dict[str, list[str]] = {}  # keys of the resources that were applied, by host
        self.killed: list[HostError] = []  # running tasks that a stop or restart has killed
        self.lock, self.recorder = lock, recorder
        self.before_change = before_change
        self._nonce = os.urandom(6).hex()
        self._hints = hints
        self._doing: dict[str, str] = {}  # what each host is doing
        self._over = False  # another one has taken its place
        self.gatekeeper = Gatekeeper(connections, emit, hints, self._at)

    def successor(self) -> Run:
        """End this run, whose threads may still be at work after Ctrl-C, and return one that takes its place.

        What they have sent to hosts is finished; they send nothing more.
        """
        self._over = True
        other = copy.copy(self)
        other._over, other._doing = False, {}
        other.gatekeeper = Gatekeeper(other.connections, other.emit, other._hints, other._at)
        return other

    def hosts(self, names: Sequence[str] | Mapping[str, object]) -> list[Host]:
        """Return the hosts with these names, in the order of hosts.yaml."""
        return [host for host in self.fleet.hosts.values() if host.name in names]

    def ask(self, wanted: Mapping[str, Sequence[Step]]) -> dict[str, HostPlan]:
        """Ask all hosts at once, one exec each, and work out what each needs.

        Raises FleetError once every host has answered or failed.
        """
        keeper, lock = self.fleet.lock_host.name, lock_step(self.recorder.caller.performer)

        def ask(host: Host) -> HostPlan:
            own = wanted[host.name]
            return self.ask_host(host, [*own, lock] if host.name == keeper else own)

        return self.each(self.hosts(wanted), ask)

    def ask_keeper(self) -> dict[str, HostPlan]:
        """Ask the lock's host about the lock only; if it does not answer, the lock's state is unknown."""

        def ask(host: Host) -> HostPlan:
            try:
                return self.ask_host(host, [lock_step(self.recorder.caller.performer)])
            except AerodromeError:
                return HostPlan(host.name)

        return self.each([self.fleet.lock_host], ask)

    def each(self, hosts: Sequence[Host], work: Callable[[Host], T], limit: int = 0) -> dict[str, T]:
        """Work on hosts in parallel; report from time to time which hosts the run waits for, and why."""

        def at_work(host: Host) -> T:
            self._at(host.name, "connect")
            try:
                return work(host)
            except HostError as error:
                if not error.refusal and not self._over:  # which may be no failure: keys that are found are taken in
                    self.emit(Failed.by(error))
                raise
            finally:
                self.emit(Idle(host.name))

        def waiting(names: list[str], seconds: int) -> None:
            self.emit(StillWaiting({name: self._doing.get(name, "connect") for name in names}, seconds))

        self._doing.clear()
        return each(hosts, at_work, limit or self.fleet.deploy.parallel, waiting)

    def _at(self, host: str, what: str) -> None:
        self._doing[host] = what
        self.emit(Doing(host, what))

    def ask_host(self, host: Host, steps: Sequence[Step]) -> HostPlan:
        """Ask one host, in one exec, and work out what it needs."""
        limit, script = Limit.question(self.fleet.deploy), probe_script(steps, self._nonce)
        progress = self._progress(host, (), steps, limit)
        progress.probes = True
        with progress.naming():
            output = run(self.connections, host, script, on_text=progress.read, limit=limit)
        return self._read(host, steps, output.status, output.text)

    def _progress(self, host: Host, changes: Sequence[PlannedChange], steps: Sequence[Step], limit: Limit) -> Progress:
        def at(what: str) -> None:
            self._at(host.name, what)

        return Progress(
            self.emit, host.name, changes, steps_asked(steps), self._nonce, limit, self.fleet.deploy, at, self._killed
        )

    def _read(self, host: Host, steps: Sequence[Step], status: int, text: str) -> HostPlan:
        """Read what a probe printed, and how it ended."""
        if status == 75:
            raise HostError(host.name, "lock", text.strip(), "check what it is doing: fab run 'ps -ef'")
        return plan_host(host.name, steps, read_probe(text, steps, self._nonce))

    def bring_about(self, host: Host, wanted: Sequence[Step], steps: Sequence[Step], plan: HostPlan) -> HostPlan:
        """Make what a host's `plan` has for `steps`, the first of `wanted`; return what it then needs of `wanted`."""
        wanted = [*settled(steps), *wanted[len(steps) :]]
        for _ in range(ROUNDS):
            plan = self._apply(host, plan.only(steps), wanted)
            if not plan.only(steps).changes:
                return plan
        left = plan.only(steps).changes
        rest = "; ".join(planned.change.summary for planned in left)
        message = f"does not converge: after {ROUNDS} rounds, it still needs: {rest}"
        raise HostError(host.name, left[0].step, message)

    def _apply(self, host: Host, plan: HostPlan, wanted: Sequence[Step]) -> HostPlan:
        """Make the changes of a plan and ask again, in one exec; return what the host then needs of `wanted`."""
        if self._over:
            raise HostError(host.name, plan.changes[0].step, "interrupted")
        self.lock.check()
        log, first = self.recorder.line(plan.changes), self.recorder.ways_back(plan.changes)
        apply = apply_script(plan.changes, wanted, self._nonce, log, first)
        limit = Limit.command(self.fleet.deploy)
        progress = self._progress(host, plan.changes, wanted, limit)
        if applied := [planned.resource for planned in plan.changes if planned.change.script]:
            keys = self.changed.setdefault(host.name, [])
            keys += [key for key in dict.fromkeys(applied) if key not in keys]
        with progress.naming():
            output = run(self.connections, host, apply.script, apply.payload, progress.read, limit=limit)
        _, done, answers = output.text.partition(f"\n@{self._nonce} done\n")
        if done:
            return self._read(host, wanted, output.status, answers)
        planned = progress.current
        words = last_words(output.text.rpartition(f"@{self._nonce} ")[2].partition("\n")[2] + output.errors)
        if planned is None:
            raise HostError(
                host.name, "apply", f"the script did not start (exit {output.status})", hint(words, self._hints), words
            )
        if planned.change.restarts:
            words = journal(self.connections, host, planned.change.restarts)
        message = f"could not {planned.change.summary} (exit {output.status})"
        raise HostError(host.name, planned.step, message, hint(words, self._hints), words)

    def _killed(self, host: str, planned: PlannedChange, tasks: str) -> None:
        """Note running tasks that a change has killed: a host repeats them until they are known to have arrived."""
        message = f"running tasks were killed: {tasks}"
        if (host, message) in {(error.host, error.message) for error in self.killed}:
            return
        self.emit(Killed(host, planned.step, tasks))
        limit = f"deploy.drain_timeout: {self.fleet.deploy.drain_timeout}"
        hint = f"they had {self.fleet.deploy.drain_timeout} s ({limit}); --force makes this no error"
        self.killed.append(HostError(host, planned.step, message, hint))

    def look(self, checks: Mapping[str, Sequence[Watch]]) -> dict[str, list[Finding]]:
        """Ask all hosts in parallel, and return the findings of each; a host that cannot be asked is not ok."""

        def ask(host: Host) -> list[Finding]:
            findings: list[Finding] = []
            why = ""
            for check in checks[host.name]:
                try:
                    findings += check.unknown(why) if why else self.judge(host, check)
                except HostError as error:
                    why = error.message
                    findings += check.unknown(why)
            return findings

        try:
            found = self.each(self.hosts(checks), ask)
        except FleetError as error:  # one host's trouble never hides the others' answers
            failed = {each.host: [Finding("?", "failed", each.message)] for each in error.failures}
            found = {**error.results, **failed}
        return {name: found[name] for name in checks}

    def judge(self, host: Host, check: Check) -> Sequence[Finding]:
        """Ask one host one question, and return what was found."""
        self._at(host.name, "health")
        output = run(self.connections, host, check.probe())
        with reading(host.name, "health"):
            return check.judge(output.text)


def settled(steps: Sequence[Step]) -> list[Step]:
    """Return `steps` without one-time requests: a requested restart has been made."""
    return [
        replace(
            step,
            resources=tuple(
                resource.settled() if isinstance(resource, Settling) else resource for resource in step.resources
            ),
        )
        for step in steps
    ]
