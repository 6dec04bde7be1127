"""A change of a past run that has been taken back."""

from __future__ import annotations

from aerodrome.core.entries import read_states, states_script, take_back_script
from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import Entry, verdicts
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

SINCE = "has been changed since that run"
FORCE = "look at it, or take it back all the same: --force"


@dataclass(frozen=True)
class TakenBack:
    """A change of `run` that has been taken back; `beside` has all of the run on this host, in its order.

    The host is asked for all of them at once, whichever a resource is about.
    """

    run: str
    entry: Entry
    beside: tuple[Entry, ...]
    force: bool = False

    @property
    def key(self) -> str:
        return self.entry.resource

    def probe(self) -> str:
        return states_script(self.run, [each.number for each in self.beside if each.summary])

    def changes(self, seen: Seen) -> list[Change]:
        entry = self.entry
        verdict = verdicts(self.beside, read_states(seen.text), self.force)[entry.number]
        if verdict == "changed":
            raise AerodromeError(f"{entry.resource} {SINCE}", FORCE)
        if verdict != "back":
            return []
        script = take_back_script(self.run, entry, self.force)
        return [Change(entry.summary, script, entry.diff, restarts=entry.restarts, interrupts=entry.interrupts)]
