"""Perform a runbook: the only way in which anything changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from aerodrome.core.event import Note, StageBegan, StageEnded
from aerodrome.core.lock import LOCK_LEFT, LOCK_NOTE
from aerodrome.core.plan import HostPlan
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, by_host, joined, only
from aerodrome.core.step import Step
from aerodrome.engine.converge import Run
from aerodrome.errors import AerodromeError, FleetError, HostError
from aerodrome.fleet.model import Host

WENT_BACK = "went back: everything is as it was before"


class WayBackFailed(FleetError):
    """A stage failed, and so did its way back: the fleet is between two states, and its lock stays."""


def perform(run: Run, runbook: Runbook) -> bool:
    """Perform the stages of a runbook, one after another; return whether anything had to be changed.

    The fleet's lock is taken before the first change, and not at all if nothing has to change (except to release the
    lock of an earlier run of the same performer, once it is known that nothing was left undone). The run's record
    begins with the lock.

    Raises FleetError if a host of a stage fails: later stages do not begin, and the ways back are taken; WayBackFailed
    if one of them fails. If a host is in a state that must not be touched, no stage begins. Raises HostError if the
    fleet's lock is not available.
    """
    performance = _Performance(run, runbook.stages)
    asked = time.monotonic()
    performance.ask()
    if not performance.changes:
        performance.ask_keeper()
    performance.note()
    if not performance.needs_lock:
        performance.stages()
        return False
    recorder = run.recorder
    age = run.lock.take(recorder.claim(performance.summary), recorder.start(runbook.name, performance.summary))
    outcome, errors = "interrupted", list[str]()
    try:
        # Ask again about everything that another run may have changed in the meantime. One more second, because the
        # host counts whole ones.
        if age <= time.monotonic() - asked + 1:
            performance.ask()
        try:
            performance.stages()
        except (AerodromeError, KeyboardInterrupt) as error:
            if runbook.back:
                _go_back(run, runbook.back, error)
                error.add_note(WENT_BACK)
            raise
        killed = [] if runbook.force else run.killed
        outcome, errors = "failed" if killed else "changed" if run.changed else "unchanged", _told(killed)
    except AerodromeError as error:
        outcome = "stuck" if isinstance(error, WayBackFailed) else "failed"
        errors = _told(error.failures if isinstance(error, FleetError) else [error])
        raise
    finally:
        run.lock.release(recorder.end(outcome, run.changed, errors), stuck=outcome == "stuck")
    return bool(run.changed)


def _go_back(run: Run, stages: Sequence[Stage], why: BaseException) -> None:
    """Perform the stages that lead a failed run back to what was before, on all hosts that can be reached.

    Raises WayBackFailed, with why the run failed, if a stage fails or a host cannot be reached.
    """
    run.emit(Note("", f"{'interrupted' if isinstance(why, KeyboardInterrupt) else 'this failed'}: going back"))
    failures = [] if isinstance(why, KeyboardInterrupt) else list(_failures(why))
    performance = _Performance(run.successor(), stages)
    try:
        performance.ask()
        missing = performance.leave_out_unreachable()
        performance.stages()
    except AerodromeError as error:
        raise WayBackFailed([*failures, *(performance.stuck(each) for each in _failures(error))]) from why
    if missing:
        raise WayBackFailed([*failures, *map(performance.stuck, missing)]) from why
    run.emit(Note("", WENT_BACK))


def _failures(error: BaseException) -> Sequence[HostError]:
    if isinstance(error, FleetError):
        return error.failures
    if isinstance(error, HostError):
        return [error]
    return [HostError("", "", str(error), getattr(error, "hint", ""))]


def _told(errors: Sequence[AerodromeError]) -> list[str]:
    """Return errors for the history: one line each, without the output of programs."""
    return [f"{each.host}: {each.step}: {each}" if isinstance(each, HostError) else str(each) for each in errors]


class _Performance:
    """The remaining needs of a runbook's hosts, and the stages that meet them."""

    def __init__(self, run: Run, stages: Sequence[Stage]) -> None:
        self._run, self._parts = run, stages
        self._wanted: dict[str, list[Step]] = {}  # the rest of each host's steps
        self._failed: Mapping[str, HostError] = {}  # why hosts could not be asked
        self.plans: dict[str, HostPlan] = {}

    @property
    def changes(self) -> bool:
        """Return whether any host needs a change."""
        return any(plan.changes for plan in self.plans.values())

    @property
    def needs_lock(self) -> bool:
        """Return whether there is something to change, or a lock that this performer has left."""
        return self.changes or any(note.startswith(LOCK_LEFT) for plan in self.plans.values() for note in plan.notes)

    @property
    def summary(self) -> str:
        """Return how much there is to change."""
        changes = sum(len(plan.changes) for plan in self.plans.values())
        hosts = sum(bool(plan.changes) for plan in self.plans.values())
        return f"{changes} change{'s' if changes > 1 else ''} on {hosts} of {len(by_host(self._parts))} hosts"

    def note(self) -> None:
        """Emit notes that no change shows. A run that has to wait for the lock learns whose it is anyway."""
        for name, note in ((name, note) for name, plan in self.plans.items() for note in plan.notes):
            if not (self.needs_lock and note.startswith((LOCK_NOTE, LOCK_LEFT))):
                self._run.emit(Note(name, note))

    def ask(self) -> None:
        """Ask all hosts what they need.

        Raises FleetError if hosts.yaml and a host do not fit: nothing is touched anywhere. A host that is down stops
        nothing before its own stage.
        """
        try:
            self.plans, self._failed = self._run.ask(by_host(self._parts)), {}
        except FleetError as error:
            if any(failure.refusal for failure in error.failures):
                raise FleetError(error.failures) from error
            self.plans, self._failed = dict(error.results), {failure.host: failure for failure in error.failures}

    def leave_out_unreachable(self) -> list[HostError]:
        """Leave out the hosts that could not be asked, and return why: one that is down holds up no other."""
        missing = list(self._failed.values())
        self._parts = only(self._parts, [name for name in by_host(self._parts) if name not in self._failed])
        self._failed = {}
        return missing

    def ask_keeper(self) -> None:
        """Ask whose the lock is, if its host has not been asked yet: an earlier run may have left it to this one."""
        if self._run.fleet.lock_host.name not in by_host(self._parts):
            self.plans |= self._run.ask_keeper()

    def stages(self) -> None:
        """Perform stage after stage; if one fails, take the ways back, the last one first."""
        stages = joined(self._parts, self._idle)
        self._wanted = by_host(stages)
        back: list[Stage] = []
        for stage in stages:
            back = [*([] if stage.commits else back), stage]
            try:
                self._stage(stage)
            except FleetError as error:
                if stuck := self._take_back(back):
                    raise WayBackFailed([*error.failures, *stuck]) from error
                raise
            for name, steps in stage.steps.items():
                self._wanted[name] = self._wanted[name][len(steps) :]

    def _idle(self, stage: Stage) -> bool:
        changes = any(plan.changes for plan in self._current(stage).values())
        return not changes and self._failed.keys().isdisjoint(stage.steps)

    def _current(self, stage: Stage) -> dict[str, HostPlan]:
        """Return the remaining needs of a stage's hosts, as far as they could be asked."""
        return {name: self.plans[name].only(steps) for name, steps in stage.steps.items() if name in self.plans}

    def _stage(self, stage: Stage) -> None:
        """Perform a stage on all hosts that could be asked, and only then fail for the others."""
        failures = [self._failed[name] for name in stage.steps if name in self._failed]
        current = self._current(stage)

        def work(host: Host) -> None:
            if current[host.name].changes:
                wanted, plan = self._wanted[host.name], self.plans[host.name]
                self.plans[host.name] = self._run.bring_about(host, wanted, stage.steps[host.name], plan)
            if host.name in stage.gates:
                self._run.gatekeeper.wait(host, stage.gates[host.name])

        try:
            self._work(current, stage, work)
        except FleetError as error:
            failures += error.failures
        if failures:
            raise FleetError(failures)

    def _work(self, current: Mapping[str, HostPlan], stage: Stage, work: Callable[[Host], None]) -> None:
        run = self._run
        busy = [host for host in run.hosts(current) if current[host.name].changes or current[host.name].unsettled]
        if not busy:
            return
        if changing := [host for host in busy if current[host.name].changes]:
            self._require(stage, changing)
            run.before_change()
            run.lock.tell(run.recorder.at(stage.name, [host.name for host in changing]))
        began = time.monotonic()
        run.emit(StageBegan(stage.name, tuple(host.name for host in busy)))
        failed: tuple[str, ...] = ()
        try:
            # Running units are restarted on one host at a time; everything else is done in parallel.
            rolling = [host for host in busy if stage.gates and current[host.name].interrupts]
            run.each([host for host in busy if host not in rolling], work)
            # After a failed restart, leave running units alone: they may fail for the same reason.
            for host in rolling:
                run.each([host], work)
        except FleetError as error:
            failed = tuple(failure.host for failure in error.failures)
            raise
        finally:
            run.emit(StageEnded(stage.name, time.monotonic() - began, failed))

    def _require(self, stage: Stage, changing: Sequence[Host]) -> None:
        """Check what must be ok before a stage changes anything.

        Raises FleetError, naming the stage, if a check fails on one of its hosts.
        """

        def ask(host: Host) -> None:
            for check in stage.requires.get(host.name, ()):
                for finding in self._run.judge(host, check):
                    if finding.verdict in ("waiting", "failed", "refused"):
                        raise HostError(host.name, stage.name, finding.detail, finding.hint, finding.evidence)

        self._run.each([host for host in changing if stage.requires.get(host.name)], ask)

    def _take_back(self, begun: Sequence[Stage]) -> list[HostError]:
        """Take the ways back of stages that have begun, the last one first, until one fails; return the failure."""
        run, taken = self._run, list[Mapping[str, Sequence[Step]]]()
        for stage in reversed(begun):
            if not stage.way_back or stage.way_back in taken:
                continue
            taken.append(stage.way_back)
            run.emit(StageBegan(f"{stage.name}: undo", tuple(stage.way_back)))
            run.lock.tell(run.recorder.at(f"{stage.name}: undo", list(stage.way_back)))
            try:
                run.each(run.hosts(stage.way_back), partial(self._back, stage))
            except FleetError as error:
                return [self.stuck(failure) for failure in error.failures]
        return []

    def stuck(self, failure: HostError) -> HostError:
        """Return a failure of the way back, with what to do about it."""
        hints = [failure.hint] if failure.hint else []
        command = self._run.recorder.caller.command
        hints.append(f"the fleet's lock is kept: to go on, run the same command again ({command});")
        hint = " ".join([*hints, "to give up: fab lock.release --reason=…"])
        return HostError(failure.host, failure.step, failure.message, hint, failure.detail, failure.refusal)

    def _back(self, stage: Stage, host: Host) -> None:
        steps = stage.way_back[host.name]
        plan = self._run.ask_host(host, steps)
        if plan.changes:
            self._run.bring_about(host, steps, steps, plan)
