"""A runbook: an ordered list of stages. Nothing else changes a fleet."""

from __future__ import annotations

from aerodrome.core.check import Check
from aerodrome.core.resource import Change, Seen
from aerodrome.core.stage import Stage
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError


@dataclass(frozen=True)
class Runbook:
    """The stages of a run, such as a deploy, in order."""

    name: str
    stages: tuple[Stage, ...]
    force: bool = False  # killed tasks do not make the run fail
    notes: tuple[str, ...] = ()  # for the operator, before the run begins
    secrets: bool = True  # hosts get the fleet's secrets, so generated ones are stored before anything changes
    back: tuple[Stage, ...] = ()  # leads back to what was before: performed if a stage fails, or on Ctrl-C


@dataclass(frozen=True)
class Action:
    """A resource that is something to do rather than something to have: `check` tells whether it has been done.

    A stage treats it like any other resource. So a plan shows it, a run that was killed resumes by asking, and asking
    again proves that it was done.
    """

    check: Check
    change: Change

    @property
    def key(self) -> str:
        return self.check.key

    def probe(self) -> str:
        return self.check.probe()

    def changes(self, seen: Seen) -> list[Change]:
        """Return the change to make, or nothing if it has been done; raise AerodromeError if the check refuses."""
        findings = self.check.judge(seen.text)
        for finding in findings:
            if finding.verdict == "refused":
                raise AerodromeError(finding.detail, finding.hint, finding.evidence)
        return [] if all(finding.ok for finding in findings) else [self.change]
