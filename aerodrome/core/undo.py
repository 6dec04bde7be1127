"""The ways back of changes, and which changes of a run can still be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class Undo:
    """The way back of a change, to what the probe saw.

    `script` is POSIX sh, run with `set -eu`; `payload` is what it reads from file descriptor 3: former content, which
    may be a secret. `state` is sh that only reads and prints one line: `before` as long as the change has not been made
    or has been taken back, `left` once it has been made, anything else if somebody has changed it since. `after` are
    the paths that a unit reads: if one of them is put back, the unit has to follow. A `late` change is taken back after
    all others: a unit starts with its files in place. `restarts` and `interrupts` are as in a Change.
    """

    summary: str
    script: str
    state: str
    before: str
    left: str
    payload: bytes = b""
    after: tuple[str, ...] = ()
    late: bool = False
    restarts: str = ""
    interrupts: bool = False


# Of a change that leaves nothing behind, such as a wait or a reload: there is nothing to take back.
NOTHING = Undo("", "", "", "", "")


@dataclass(frozen=True)
class Entry:
    """A change of a past run and its way back, as its host has recorded them before it was made.

    `summary` is what taking it back does; it is empty if there is no way back. `subject` is the same for all changes of
    one thing. `place` counts the stages of the run.
    """

    number: str  # its name on the host, in the order of the run
    place: int
    stage: str
    step: str
    resource: str
    change: str  # what the run did
    summary: str
    diff: str = ""
    subject: str = ""
    before: str = ""
    left: str = ""
    after: tuple[str, ...] = ()
    late: bool = False
    restarts: str = ""
    interrupts: bool = False


# What there is to do about an entry: take it back; nothing, as it was never made or has been taken back; nothing can be
# done, as it has been changed since; or there is no way back.
Verdict = Literal["back", "nothing", "changed", "none"]


def verdicts(entries: Sequence[Entry], states: Mapping[str, str], force: bool = False) -> dict[str, Verdict]:
    """Return the verdict on each of a host's entries, which are given in the order of the run.

    `states` has what each one's `state` prints now. With `force`, changes are taken back even if something has been
    changed since.
    """
    found: dict[str, Verdict] = {each.number: "none" for each in entries if not each.summary}
    chains: dict[str, list[Entry]] = {}
    for each in entries:
        if each.summary:
            chains.setdefault(each.subject, []).append(each)
    moving: set[str] = set()  # paths that are put back
    # First what nothing else decides.
    for chain in sorted(chains.values(), key=lambda chain: any(each.after for each in chain)):
        moved = any(path in moving for each in chain for path in each.after)
        verdict = _chain(chain, states.get(chain[-1].number, ""), moved, force)
        found |= verdict
        moving |= {each.resource.partition(" ")[2] for each in chain if verdict[each.number] == "back"}
    return found


def _chain(chain: Sequence[Entry], state: str, moved: bool, force: bool) -> dict[str, Verdict]:
    """Say it of all changes of one thing, which are taken back from the newest on; `moved`: what it reads is too."""
    if state == chain[0].before and not moved:
        return {each.number: "nothing" for each in chain}
    newest = chain[-1]
    if moved and newest.late and state == newest.before:
        state = newest.left  # it is not outdated yet
    found: dict[str, Verdict] = {}
    for each in reversed(chain):
        if state == each.left or (force and state != each.before):
            found[each.number], state = "back", each.before
        else:
            found[each.number] = "nothing" if state == each.before else "changed"
    return found


def turn(entry: Entry) -> tuple[int, int]:
    """Return when an entry is taken back, to sort by: first from the last stage of the run to its first.

    Then units start: those that the run has stopped from the last one on, and those that it has restarted in its order.
    """
    if not entry.late:
        return 0, -entry.place
    return (2, entry.place) if entry.after else (1, -entry.place)
