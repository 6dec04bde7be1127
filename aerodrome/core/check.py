"""Checks: questions to a host that have a verdict. Pure; they change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, Self

from aerodrome.dataclass import dataclass

# `waiting` may become ok without intervention; `refused` means that the host must not be touched.
Verdict = Literal["ok", "waiting", "warning", "failed", "refused"]


@dataclass(frozen=True)
class Finding:
    """One result of a check: the subject, the verdict, what was seen, and what to do about it."""

    subject: str  # what was checked, such as a role
    verdict: Verdict
    detail: str
    hint: str = ""
    evidence: str = ""  # several lines: statements that somebody has to run, or the output of a program
    waits_for: str = ""  # key of a resource: while it is about to change, the check is postponed
    waits_to: str = ""  # what is postponed
    unit: str = ""  # the systemd unit whose journal explains the finding
    restarts: int = 0  # how often systemd has restarted that unit

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


class Check(Protocol):
    """A question about one host."""

    @property
    def key(self) -> str:
        """The check's name, unique on its host: `port 8080`."""

    def probe(self) -> str:
        """Return POSIX sh that only reads, and prints what `judge` needs to know."""

    def judge(self, answer: str) -> Sequence[Finding]:
        """Return the findings from the probe's output: none, or only `ok`, if all is well."""


class Watch(Check, Protocol):
    """A check that reports something even if its host cannot be asked."""

    def unknown(self, why: str) -> Sequence[Finding]:
        """Return the findings if the host could not be asked."""


# Asks each host, by name, its checks, and returns what each has found.
Look = Callable[[Mapping[str, Sequence[Watch]]], Mapping[str, Sequence[Finding]]]


class Gate(Watch, Protocol):
    """A check that a stage must pass before the next begins: one finding per subject, repeated until each is ok."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subjects that must become ok."""

    def only(self, subjects: Sequence[str]) -> Self:
        """Return the part of the gate for `subjects`."""

    def watch(self) -> str:
        """Return sh that asks repeatedly until nobody reads its output any more."""

    def looks(self, text: str) -> tuple[list[str], str]:
        """Split the output of `watch`: the complete answers, each for `judge`, and the rest."""


def refused(check: Check, detail: str, hint: str) -> list[Finding]:
    """Return a finding that forbids touching the host, with the reason."""
    return [Finding(check.key, "refused", detail, hint)]
