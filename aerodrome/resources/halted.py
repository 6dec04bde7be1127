"""Units that stop before something changes under them that the tasks they run or have queued would not survive."""

from __future__ import annotations

from typing import Protocol

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.core.undo import NOTHING
from aerodrome.dataclass import dataclass
from aerodrome.resources.drain import Drain, stop_script
from aerodrome.resources.running import after_start, after_stop
from aerodrome.resources.systemd import UnitState, show

PARTED = r"printf '\n\n'"  # between two answers


class Cause(Protocol):
    """The reason for which a unit halts."""

    def look(self, then: str = ":") -> str:
        """Return sh that prints what `reason` reads, on lines of which none is empty, and does more if it prints."""

    def reason(self, text: str) -> str:
        """Describe the change; return an empty text if there is none."""


def reason_of(cause: Cause, answer: str) -> str:
    """Describe the change, according to the host's answer."""
    return cause.reason(answer.strip("\n"))


@dataclass(frozen=True)
class Wait:
    """A wait after a unit has stopped, and before any other unit stops.

    `script` is sh. If it fails, the unit is started again at once, so that a run that ends there, or whose connection
    breaks, leaves nothing half done.
    """

    script: str
    summary: str = "wait until no task is queued or running"


@dataclass(frozen=True)
class Halted:
    """A unit that does not run while what one of `causes` tells changes; then it waits for what others do."""

    causes: tuple[Cause, ...]
    unit: str
    wait: Wait | None = None
    drain: Drain | None = None  # how it stops, if it runs tasks

    @property
    def key(self) -> str:
        return f"halt {self.unit}"

    def probe(self) -> str:
        looks = [cause.look("halts=1") for cause in self.causes]
        return "halts=\n" + f"\n{PARTED}\n".join([*looks, f'[ -z "$halts" ] || {show(self.unit)}'])

    def changes(self, seen: Seen) -> list[Change]:
        *answers, state = seen.text.split("\n\n", len(self.causes))
        reason = ", ".join(filter(None, map(reason_of, self.causes, answers)))
        if not reason or not UnitState.parse(state).runs:
            return []
        script, undo = stop_script(self.unit, self.drain), after_stop(self.unit)
        changes = [Change(f"stop {self.unit} ({reason})", script, interrupts=True, undo=undo)]
        if self.wait:
            why = f"echo {quote(f'this was because {reason}')}"
            # Started first: if nobody reads any more, the shell ends when it prints.
            again = f"if ! ( {self.wait.script}\n); then\nsystemctl start {quote(self.unit)}\n{why}\nexit 1\nfi"
            changes.append(Change(self.wait.summary, again, interrupts=True, undo=NOTHING))
        return changes


@dataclass(frozen=True)
class Resumed:
    """A unit that runs again if it was enabled before; one that was never there is not made for it."""

    unit: str

    @property
    def key(self) -> str:
        return f"unit {self.unit}"

    def probe(self) -> str:
        return show(self.unit)

    def changes(self, seen: Seen) -> list[Change]:
        state = UnitState.parse(seen.text)
        if state.file != "enabled" or state.active not in ("inactive", "failed"):
            return []
        unit = quote(self.unit)
        script = f"systemctl reset-failed {unit} 2>/dev/null || true\nsystemctl start {unit}"
        return [Change(f"start {self.unit} again", script, restarts=self.unit, undo=after_start(self.unit))]
