"""Ask, plan, apply, ask again, over the hosts of a run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from aerodrome.core.check import Finding, Watch
from aerodrome.core.event import Doing, Emit, Failed, Idle, Killed, Note, StageBegan, StageEnded, StillWaiting
from aerodrome.core.plan import HostPlan, PlannedChange, apply_script, plan_host, probe_script, read_probe, steps_asked
from aerodrome.core.resource import Settling
from aerodrome.core.stage import Stage, by_host, joined
from aerodrome.core.step import Step
from aerodrome.engine.gate import Gatekeeper, journal
from aerodrome.engine.lock import Lock
from aerodrome.engine.progress import Progress
from aerodrome.engine.words import hint, last_words
from aerodrome.errors import FleetError, HostError, reading
from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.limits import Limit
from aerodrome.remote.parallel import each
from aerodrome.remote.run import run

T = TypeVar("T")

ROUNDS = 3  # how often a host is asked again before it is said not to converge


class Run:
    """One run over the fleet: its connections, what it has asked and what it has changed."""

    def __init__(
        self,
        connections: Connections,
        emit: Emit,
        lock: Lock,
        hints: Mapping[str, str] = MappingProxyType({}),
        before_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what the run works with; `before_change` is called before hosts of a stage are changed.

        `hints` says what to do about failures, by a sign in what a program has printed.
        """
        self.connections = connections
        self.fleet = connections.fleet
        self.emit = emit
        self.changed: set[str] = set()  # hosts on which something was applied
        self.killed: list[HostError] = []  # running tasks that a stop or restart has killed
        self._lock = lock
        self._before_change = before_change
        self._nonce = os.urandom(6).hex()
        self._hints = hints
        self._doing: dict[str, str] = {}  # what each host is at
        self._gatekeeper = Gatekeeper(connections, emit, hints, self._at)

    def hosts(self, names: Sequence[str] | Mapping[str, object]) -> list[Host]:
        """Return the hosts with these names, in the order of hosts.yaml."""
        return [host for host in self.fleet.hosts.values() if host.name in names]

    def ask(self, wanted: Mapping[str, Sequence[Step]]) -> dict[str, HostPlan]:
        """Ask all hosts at once, one exec each, and work out what each needs.

        Raises FleetError once every host has answered or failed.
        """
        return self._each(self.hosts(wanted), lambda host: self._ask(host, wanted[host.name]))

    def _each(self, hosts: Sequence[Host], work: Callable[[Host], T], limit: int = 0) -> dict[str, T]:
        """Work on hosts at once; say from time to time for whom the run waits, and what they are at."""

        def at_work(host: Host) -> T:
            self._at(host.name, "connect")
            try:
                return work(host)
            except HostError as error:
                if not error.refusal:  # which may be no failure: keys that are found are taken in
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

    def converge(self, stages: Sequence[Stage]) -> bool:
        """Bring the stages about, one after another; tell whether anything had to be changed.

        The fleet's lock is taken before anything is changed, and not at all if nothing has to be.

        Raises FleetError where a host of a stage fails; later stages are then not begun. Where a host is in a state
        that must not be touched, no stage is. Raises HostError if the fleet's lock cannot be had.
        """
        wanted = by_host(stages)
        asked = time.monotonic()
        plans, failed = self._ask_to_touch(wanted)
        for name, note in ((name, note) for name, plan in plans.items() for note in plan.notes):
            self.emit(Note(name, f"note: {note}"))
        if not any(plan.changes for plan in plans.values()):
            self._stages(stages, plans, failed)
            return False
        try:
            # What another run may have changed since it was asked has to be asked again. A second more: the host counts
            # in whole ones.
            if self._lock.take() <= time.monotonic() - asked + 1:
                plans, failed = self._ask_to_touch(wanted)
            self._stages(stages, plans, failed)
        finally:
            self._lock.release()
        return bool(self.changed)

    def _ask_to_touch(self, wanted: Mapping[str, Sequence[Step]]) -> tuple[dict[str, HostPlan], dict[str, HostError]]:
        """Ask all hosts; return the plans of those that answer, and why the others do not."""
        plans, failed = self._ask_what_answers(wanted)
        if any(failure.refusal for failure in failed.values()):
            # hosts.yaml and a host do not fit: nothing is touched anywhere. A host that is down stops nobody else.
            raise FleetError(list(failed.values()))
        return plans, failed

    def _stages(
        self,
        stages: Sequence[Stage],
        plans: dict[str, HostPlan],
        failed: Mapping[str, HostError],
    ) -> None:
        def idle(stage: Stage) -> bool:
            changes = any(plan.changes for plan in _parts(plans, stage).values())
            return not changes and failed.keys().isdisjoint(stage.steps)

        stages = joined(stages, idle)
        wanted = by_host(stages)
        for stage in stages:
            try:
                self._stage(stage, wanted, plans, failed)
            except FleetError as error:
                raise FleetError([*error.failures, *self._undo(stage)]) from error
            for name, steps in stage.steps.items():
                wanted[name] = wanted[name][len(steps) :]

    def _undo(self, stage: Stage) -> list[HostError]:
        """Bring about what a stage that has failed wants then, wherever that is possible; return what failed of it."""
        if not stage.undo:
            return []
        self.emit(StageBegan(f"{stage.name}: undo", tuple(stage.undo)))

        def work(host: Host) -> None:
            steps = stage.undo[host.name]
            plan = self._ask(host, steps)
            if plan.changes:
                self._bring_about(host, steps, steps, plan)

        try:
            self._each(self.hosts(stage.undo), work)
        except FleetError as error:
            return list(error.failures)
        return []

    def _ask_what_answers(
        self, wanted: Mapping[str, Sequence[Step]]
    ) -> tuple[dict[str, HostPlan], dict[str, HostError]]:
        try:
            return self.ask(wanted), {}
        except FleetError as error:
            return dict(error.results), {failure.host: failure for failure in error.failures}

    def _stage(
        self,
        stage: Stage,
        wanted: Mapping[str, Sequence[Step]],
        plans: dict[str, HostPlan],
        failed: Mapping[str, HostError],
    ) -> None:
        """Bring a stage about on all hosts that can be asked, and only then fail for the others.

        `wanted` is what is left of each host's steps, those of this stage first; `plans` is kept up to date.
        """
        failures = [failed[name] for name in stage.steps if name in failed]
        current = _parts(plans, stage)

        def work(host: Host) -> None:
            if current[host.name].changes:
                plans[host.name] = self._bring_about(host, wanted[host.name], stage.steps[host.name], plans[host.name])
            if host.name in stage.gates:
                self._gatekeeper.wait(host, stage.gates[host.name])

        try:
            self._work(current, stage, work)
        except FleetError as error:
            failures += error.failures
        if failures:
            raise FleetError(failures)

    def _work(self, current: Mapping[str, HostPlan], stage: Stage, work: Callable[[Host], None]) -> None:
        busy = [host for host in self.hosts(current) if current[host.name].changes or current[host.name].unsettled]
        if not busy:
            return
        if any(current[host.name].changes for host in busy):
            self._before_change()
        began = time.monotonic()
        self.emit(StageBegan(stage.name, tuple(host.name for host in busy)))
        try:
            self._at_once_or_rolling(busy, current, stage, work)
        except FleetError as error:
            failed = tuple(failure.host for failure in error.failures)
            self.emit(StageEnded(stage.name, time.monotonic() - began, failed))
            raise
        self.emit(StageEnded(stage.name, time.monotonic() - began))

    def _at_once_or_rolling(
        self, busy: Sequence[Host], current: Mapping[str, HostPlan], stage: Stage, work: Callable[[Host], None]
    ) -> None:
        # Units that run are restarted on one host at a time; all else goes at once.
        rolling = [host for host in busy if stage.gates and current[host.name].interrupts]
        starting = [host for host in busy if host not in rolling]
        self._each(starting, work)
        # What still runs is left alone once a restart has failed: the others may fail of the same.
        for host in rolling:
            self._each([host], work)

    def _ask(self, host: Host, steps: Sequence[Step]) -> HostPlan:
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
            raise HostError(host.name, "lock", text.strip(), "see what it does: fab run 'ps -ef'")
        return plan_host(host.name, steps, read_probe(text, steps, self._nonce))

    def _bring_about(self, host: Host, wanted: Sequence[Step], steps: Sequence[Step], plan: HostPlan) -> HostPlan:
        """Make what a host's `plan` has for `steps`, the first of `wanted`; return what it then needs of `wanted`."""
        wanted = [*settled(steps), *wanted[len(steps) :]]
        for _ in range(ROUNDS):
            plan = self._apply(host, plan.only(steps), wanted)
            if not plan.only(steps).changes:
                return plan
        left = plan.only(steps).changes
        rest = "; ".join(planned.change.summary for planned in left)
        message = f"does not converge, after {ROUNDS} rounds it still needs: {rest}"
        raise HostError(host.name, left[0].step, message)

    def _apply(self, host: Host, plan: HostPlan, wanted: Sequence[Step]) -> HostPlan:
        """Make the changes of a plan and ask again, in one exec; return what the host then needs of `wanted`."""
        self._lock.check()
        apply = apply_script(plan.changes, wanted, self._nonce)
        limit = Limit.command(self.fleet.deploy)
        progress = self._progress(host, plan.changes, wanted, limit)
        if any(planned.change.script for planned in plan.changes):
            self.changed.add(host.name)

        with progress.naming():
            output = run(self.connections, host, apply.script, apply.payload, progress.read, limit=limit)
        _, done, answers = output.text.partition(f"\n@{self._nonce} done\n")
        if done:
            return self._read(host, wanted, output.status, answers)
        planned = progress.current
        words = last_words(output.text.rpartition(f"@{self._nonce} ")[2].partition("\n")[2] + output.errors)
        if planned is None:
            raise HostError(
                host.name, "apply", f"the script did not begin (exit {output.status})", hint(words, self._hints), words
            )
        if planned.change.restarts:
            words = journal(self.connections, host, planned.change.restarts)
        message = f"could not {planned.change.summary} (exit {output.status})"
        raise HostError(host.name, planned.step, message, hint(words, self._hints), words)

    def _killed(self, host: str, planned: PlannedChange, tasks: str) -> None:
        """Take note of running tasks that a change has killed: a host says it until it is known to have been heard."""
        message = f"running tasks were killed: {tasks}"
        if (host, message) in {(error.host, error.message) for error in self.killed}:
            return
        self.emit(Killed(host, planned.step, tasks))
        limit = f"deploy.drain_timeout: {self.fleet.deploy.drain_timeout}"
        hint = f"they had {self.fleet.deploy.drain_timeout} s ({limit}); --force makes this no error"
        self.killed.append(HostError(host, planned.step, message, hint))

    def look(self, checks: Mapping[str, Sequence[Watch]]) -> dict[str, list[Finding]]:
        """Ask all hosts at once, and return the findings of each; a host that cannot be asked is none that is ok."""

        def ask(host: Host) -> list[Finding]:
            findings: list[Finding] = []
            why = ""
            for check in checks[host.name]:
                try:
                    findings += check.unknown(why) if why else self._judge(host, check)
                except HostError as error:
                    why = error.message
                    findings += check.unknown(why)
            return findings

        try:
            found = self._each(self.hosts(checks), ask)
        except FleetError as error:  # one host's trouble never hides the others' answers
            failed = {each.host: [Finding("?", "failed", each.message)] for each in error.failures}
            found = {**error.results, **failed}
        return {name: found[name] for name in checks}

    def _judge(self, host: Host, check: Watch) -> Sequence[Finding]:
        self._at(host.name, "health")
        output = run(self.connections, host, check.probe())
        with reading(host.name, "health"):
            return check.judge(output.text)


def _parts(plans: Mapping[str, HostPlan], stage: Stage) -> dict[str, HostPlan]:
    """Return what the hosts of a stage need of it, as far as they could be asked."""
    return {name: plans[name].only(steps) for name, steps in stage.steps.items() if name in plans}


def settled(steps: Sequence[Step]) -> list[Step]:
    """Return `steps` without what is wanted once only: a restart that was asked for has been made."""
    return [
        replace(
            step,
            resources=tuple(
                resource.settled() if isinstance(resource, Settling) else resource for resource in step.resources
            ),
        )
        for step in steps
    ]
