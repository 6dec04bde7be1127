"""Refuse to move the broker or results of only part of a fleet."""

from __future__ import annotations

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass
from aerodrome.resources.celery import Places
from aerodrome.resources.halted import PARTED, reason_of
from aerodrome.resources.systemd import UnitState, show


@dataclass(frozen=True)
class Unmoved:
    """Broker and results stay where they are while any of this host's units that use them are running."""

    places: Places
    units: tuple[str, ...]

    @property
    def key(self) -> str:
        return "celery places"

    def probe(self) -> str:
        return f"\n{PARTED}\n".join([self.places.look(), *map(show, self.units)])

    def judge(self, answer: str) -> list[Finding]:
        places, *states = answer.split("\n\n", len(self.units))
        reason = reason_of(self.places, places)
        running = any(UnitState.parse(state).runs for state in states)
        if reason and running:
            return refused(
                self,
                f"{reason}, which would leave the rest of the fleet behind with its queued tasks",
                "run fab deploy for the whole fleet, without -H and --role: it waits for all tasks first",
            )
        return []
