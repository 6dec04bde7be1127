"""Ask, plan, apply, ask again: the scripts that a host is sent, and what is read from their output.

Pure: composing a probe, reading its answer, working out the changes, composing the script that makes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from aerodrome.core.check import Check, Finding
from aerodrome.core.resource import PRELUDE, WAITING, Change, Seen, Settling, quote
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError, HostError, reading
from aerodrome.secrets import MASK, VERIFIER

# Root's own directory, made by the first script that needs it. Nobody else can open, and so lock, a file in it.
RUNTIME = "[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; "
# An apply holds this lock on its host, and a probe waits for it. After a killed run, a script may still run on
# the host: it finishes before anything is asked.
LOCK = (
    f"{RUNTIME}umask 077; exec 9>>/run/aerodrome/lock; umask 022; "
    f"flock {{mode}} -n 9 || {{{{ echo '{WAITING}another run that is at work on this host'; "
    "flock {mode} -w 900 9; }} || "
    "{{ echo 'another run has been at work on this host for 15 minutes'; exit 75; }}"
)

# Ends a group of commands that must not inherit the lock, nor the payload, which may hold secrets: a process that one
# of them leaves behind would hold the lock forever. The shell itself keeps both, in descriptors that are closed
# when it executes a program (dash and bash set FD_CLOEXEC on what a redirection saves).
PRIVATE = "} 3<&- 9<&-"
PRIVATE_LOCK = "} 9<&-"  # for a change that reads the payload


@dataclass(frozen=True)
class PlannedChange:
    """A change, with the step and the resource that want it."""

    step: str
    resource: str
    change: Change


@dataclass(frozen=True)
class HostPlan:
    """The changes that one host needs, and notes about it; empty if the host is as it should be."""

    host: str
    changes: tuple[PlannedChange, ...] = ()
    unsettled: tuple[str, ...] = ()  # steps with a unit that runs, but has died before
    notes: tuple[str, ...] = ()  # for the operator; not visible in any change

    @property
    def interrupts(self) -> bool:
        """Return whether a running unit would be stopped or restarted."""
        return any(planned.change.interrupts for planned in self.changes)

    def only(self, steps: Sequence[Step]) -> HostPlan:
        """Return the part of the plan that belongs to `steps`."""
        names = {step.name for step in steps}
        changes = tuple(planned for planned in self.changes if planned.step in names)
        return HostPlan(self.host, changes, tuple(name for name in self.unsettled if name in names))

    @property
    def restarts(self) -> list[str]:
        """Return the units that would be started or restarted, in order."""
        return [planned.change.restarts for planned in self.changes if planned.change.restarts]


def probe_script(steps: Sequence[Step], nonce: str) -> str:
    """Return the script that asks for all resources of a host at once, and only reads.

    Each answer is preceded by a line `@NONCE NUMBER`; the last line is `@NONCE end`.
    """
    parts = [PRELUDE, LOCK.format(mode="-s"), "\nexec 2>/dev/null\n{\n"]
    for number, probe in enumerate(_probes(steps)):
        parts.append(f"printf '\\n@%s %s\\n' {nonce} {number}\n{probe}\n")
    parts.append(f"printf '\\n@%s end\\n' {nonce}\n{PRIVATE}\n")
    return "".join(parts)


def read_probe(output: str, steps: Sequence[Step], nonce: str) -> list[str]:
    """Return the answer to each check and resource of `steps`, in order.

    Raises AerodromeError if the output is incomplete.
    """
    probes = _probes(steps)
    # Marks are expected in order: a line of an answer that looks like a later mark is not taken for one.
    rest = "\n" + output.removeprefix("\n")
    answers: list[str] = []
    for label in [*map(str, range(len(probes))), "end"]:
        answer, mark, rest = rest.partition(f"\n@{nonce} {label}\n")
        if not mark:
            raise AerodromeError(f"the probe broke off: {output.strip()[-200:] or 'no output'}")
        answers.append(answer)
    found = dict(zip(probes, answers[1:], strict=True))
    return [found[probe] for step in steps for probe in step.probes]


def plan_host(host: str, steps: Sequence[Step], answers: Sequence[str]) -> HostPlan:
    """Work out the changes that a host needs from its probe's answer.

    Raises HostError, naming the step, if a check or resource refuses the state of the host.
    """
    planned: list[PlannedChange] = []
    done: list[tuple[str, Change]] = []
    changing: set[str] = set()
    unsettled: list[str] = []
    notes: list[str] = []
    remaining = iter(answers)
    for step in steps:
        for check in step.requires:
            findings = _judged(host, step, check, next(remaining), changing)
            gates = [Change(finding.waits_to, "", gate=True) for finding in findings if finding.verdict == "refused"]
            planned += [PlannedChange(step.name, check.key, gate) for gate in gates]
            notes += [finding.detail for finding in findings if finding.verdict == "warning"]
        for resource in step.resources:
            seen = Seen(next(remaining), frozenset(changing))
            with refusing(host, step, resource.key):
                # Two steps may share a resource, so that either stage can reach it: it is done once.
                found = resource.changes(seen)
                changes = [change for change in found if (resource.key, change) not in done]
                unsettled_now = not found and isinstance(resource, Settling) and resource.unsettled(seen)
            planned += [PlannedChange(step.name, resource.key, change) for change in changes]
            done += [(resource.key, change) for change in changes]
            if any(not change.attributes for change in changes):
                changing.add(resource.key)
            if unsettled_now:
                unsettled.append(step.name)
    return HostPlan(host, tuple(planned), tuple(unsettled), tuple(notes))


@contextmanager
def refusing(host: str, step: Step, key: str) -> Iterator[None]:
    """Turn an error that a check or resource raises into one that names the host and step."""
    try:
        with reading(host, step.name):
            yield
    except HostError:
        raise
    except AerodromeError as error:
        finding = Finding(key, "refused", error.message, error.hint, error.detail)
        raise HostError(host, step.name, error.message, error.hint, error.detail, finding) from None


def _judged(host: str, step: Step, check: Check, answer: str, changing: Collection[str]) -> Sequence[Finding]:
    """Return the findings of a check; postpone a refusal that waits for something that is about to change.

    Raises HostError if the check refuses the state of the host.
    """
    with refusing(host, step, check.key):
        findings = check.judge(answer)
    for finding in findings:
        if finding.verdict == "refused" and finding.waits_for not in changing:
            raise HostError(host, step.name, finding.detail, finding.hint, finding.evidence, finding)
    return findings


@dataclass(frozen=True)
class Apply:
    """A script, and the bytes that its changes read in turn from file descriptor 3."""

    script: str
    payload: bytes


def apply_script(
    changes: Sequence[PlannedChange], steps: Sequence[Step], nonce: str, log: str = "", first: Apply | None = None
) -> Apply:
    """Return a script that makes `changes` in order, stops at the first failure, and asks about `steps` again.

    It prints `@NONCE NUMBER` before each change, `@NONCE done` after the last one, and then what `probe_script` does.
    It changes nothing that was not planned: changes without a script, and everything after a gate, wait for the next
    round. `log` is first written to the host's journal; `first` runs before any change.
    """
    parts = ["set -eu\n", PRELUDE, LOCK.format(mode="-x"), "\n"]
    if log:
        parts.append(f"{{\nlogger --size 8192 -t aerodrome -- {quote(log)} 2>/dev/null || :\n{PRIVATE}\n")
    first = first or Apply("", b"")
    parts.append(first.script)
    payload = first.payload
    for number, planned in enumerate(changes):
        if planned.change.gate:
            break
        if planned.change.script:
            parts.append(f"printf '\\n@%s %s\\n' {nonce} {number} # {planned.step}: {planned.change.summary}\n")
            private = PRIVATE_LOCK if planned.change.payload else PRIVATE
            parts.append(f"{{\n{planned.change.script}\n{private}\n")
            payload += planned.change.payload
    # In one exec: a second one would cost a session of sshd and another sudo.
    parts.append(f"printf '\\n@%s done\\n' {nonce}\nset +eu\n{probe_script(steps, nonce)}")
    return Apply("".join(parts), payload)


def steps_asked(steps: Sequence[Step]) -> list[str]:
    """Return the step behind each number that a probe prints; the first, if several share an answer."""
    asked: dict[str, str] = {}
    for step in steps:
        for probe in step.probes:
            asked.setdefault(probe, step.name)
    return list(asked.values())


def readable_script(plan: HostPlan) -> str:
    """Return the scripts of the changes with their steps, for people to read; secrets are not masked yet."""
    parts = [
        f"# {planned.step}: {planned.change.summary}\n"
        + VERIFIER.sub(MASK, planned.change.script or "# worked out once what comes before it has been applied")
        for planned in plan.changes
    ]
    return "\n\n".join(parts)


def _probes(steps: Sequence[Step]) -> list[str]:
    """Return the distinct probes in order: checks and resources with the same probe share its answer."""
    return list(dict.fromkeys(probe for step in steps for probe in step.probes))
