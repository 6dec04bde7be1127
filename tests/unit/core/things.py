"""Resources that do as a test says, and a host that is this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aerodrome.core.check import Finding
from aerodrome.core.plan import (
    PlannedChange,
)
from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError

PRELUDE = "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\numask 022\ncd /\n"


LOCKED = (
    "[ -d /run/aerodrome ] || mkdir -p -m 700 /run/aerodrome; umask 077; exec 9>>/run/aerodrome/lock; umask 022; "
    "flock {0} -n 9 || {{ echo '@waiting for another run that is at work on this host'; flock {0} -w 900 9; }} || "
    "{{ echo 'another run has been at work on this host for 15 minutes'; exit 75; }}\n"
)


@dataclass(frozen=True)
class Thing:
    """A resource with any probe and any changes."""

    name: str
    asks: str = "true"
    wants: tuple[Change, ...] = ()
    refuses: str = ""

    @property
    def key(self) -> str:
        return f"thing {self.name}"

    def probe(self) -> str:
        return self.asks

    def changes(self, seen: Seen) -> list[Change]:
        if self.refuses:
            raise AerodromeError(self.refuses, "do this")
        return list(self.wants)


def planned(*scripts: str, payload: bytes = b"") -> list[PlannedChange]:
    return [
        PlannedChange(f"step.{number}", "thing", Change(f"do {number}", script, payload=payload))
        for number, script in enumerate(scripts)
    ]


def local(script: str, folder: Path) -> str:
    """Return the script with a separate lock: it must not wait for this machine's."""
    return script.replace("/run/aerodrome", f"'{folder}/run aerodrome'")


@dataclass(frozen=True)
class Asked:
    """A check that returns the given findings."""

    finds: tuple[Finding, ...]
    key = "check"

    def probe(self) -> str:
        return "true"

    def judge(self, answer: str) -> tuple[Finding, ...]:
        return self.finds
