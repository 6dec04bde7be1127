"""The releases on a host, and which of them are in use."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from aerodrome.core.check import Finding
from aerodrome.dataclass import dataclass
from aerodrome.resources.release import BY_HAND, Releases

State = Literal["in use", "previous", "older", "used by a process", "incomplete", "made by hand", "unknown"]


@dataclass(frozen=True)
class Release(Finding):
    """One release on a host. Its subject is the kind; its verdict is ok unless the host could not be asked."""

    host: str = field(kw_only=True)
    name: str = ""
    put: int = 0  # when a deploy put it in use, in seconds since the epoch by the host's clock; 0: never
    age: int = 0  # seconds since then
    state: State = "unknown"


@dataclass(frozen=True)
class HeldReleases:
    """The releases of one kind on a host."""

    host: str
    kind: str
    releases: Releases

    @property
    def key(self) -> str:
        return f"releases of {self.releases.link}"

    def probe(self) -> str:
        return f"{self.releases.describe()}\n"

    def judge(self, answer: str) -> list[Release]:
        """Return the releases, newest first, or none if the host has none."""
        clock, _, rest = answer.partition("\n")
        target, _, text = rest.partition("\n")
        now, found = int(clock) if clock.isdigit() else 0, []
        held = [each for each in self.releases.read(text) if not each.left]
        current = self.releases.name_of(target)
        previous = before(current, [each.name for each in held if each.put and not each.name.startswith(BY_HAND)])
        for each in held:
            state: State = "older" if each.unused else "used by a process"
            if each.name.startswith(BY_HAND):
                state = "made by hand"
            elif not each.put:
                state = "incomplete"
            if each.name in (current, previous):
                state = "in use" if each.name == current else "previous"
            found.append(
                Release(
                    self.kind,
                    "ok",
                    state,
                    host=self.host,
                    name=each.name,
                    put=each.put,
                    age=max(0, now - each.put),
                    state=state,
                )
            )
        return found

    def unknown(self, why: str) -> list[Release]:
        return [Release(self.kind, "failed", why, host=self.host)]


def before(current: str, names: list[str]) -> str:
    """Return the release that was in use before `current`; `names` are sorted newest first. Empty if there is none."""
    following = names[names.index(current) + 1 :] if current in names else []
    return following[0] if following else ""
