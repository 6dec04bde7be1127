"""What every check is: a question to a host, with a verdict; pure, and it changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, Self

from aerodrome.dataclass import dataclass

# `waiting` may become ok by itself; `refused` says that the host must not be touched.
Verdict = Literal["ok", "waiting", "warning", "failed", "refused"]


@dataclass(frozen=True)
class Finding:
    """An answer to a check: what it is about, the verdict, what was seen, and what to do about it."""

    subject: str  # what was asked about, such as a role
    verdict: Verdict
    detail: str
    hint: str = ""
    evidence: str = ""  # several lines: what somebody has to run, what a program has printed
    waits_for: str = ""  # key of a resource: while that is going to change, the check is put off instead
    waits_to: str = ""  # what is put off
    unit: str = ""  # the systemd unit whose journal explains the finding
    restarts: int = 0  # how often systemd has restarted that unit

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"


class Check(Protocol):
    """A question about one host."""

    @property
    def key(self) -> str:
        """Name the check, uniquely on its host: `port 8080`."""

    def probe(self) -> str:
        """Return POSIX sh that only reads, and prints what `judge` needs to know."""

    def judge(self, answer: str) -> Sequence[Finding]:
        """Return what the probe's output says: nothing, or `ok` only, if all is well."""


class Watch(Check, Protocol):
    """A check that has something to say even if its host cannot be asked."""

    def unknown(self, why: str) -> Sequence[Finding]:
        """Return what to say if the host could not be asked."""


class Gate(Watch, Protocol):
    """A check that a stage must pass before the next begins: one finding a subject, asked until each is ok."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Name what must become ok."""

    def only(self, subjects: Sequence[str]) -> Self:
        """Return the part of the gate that asks about `subjects`."""

    def watch(self) -> str:
        """Return sh that asks again and again, until nobody reads its output any more."""

    def looks(self, text: str) -> tuple[list[str], str]:
        """Split the output of `watch`: the complete answers, each for `judge`, and the rest."""


def refused(check: Check, detail: str, hint: str) -> list[Finding]:
    """Return the finding that a host must not be touched, and why."""
    return [Finding(check.key, "refused", detail, hint)]
