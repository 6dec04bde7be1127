"""Find the run to take back, and read what its hosts have recorded of it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial

from aerodrome.core.entries import list_script, read_list
from aerodrome.core.history import Past
from aerodrome.core.undo import Entry, Verdict, verdicts
from aerodrome.dataclass import dataclass
from aerodrome.engine.converge import Run
from aerodrome.engine.maintenance import history, past
from aerodrome.errors import InvalidInput, reading
from aerodrome.fleet.model import Host
from aerodrome.remote.run import run as run_script

PART = re.compile(r"[0-9a-fTZ-]{1,21}")
LOOKED_AT = 50  # runs of the history, for one that changed something
UNDO = "undo of "  # begins the name of the runbook


@dataclass(frozen=True)
class Recorded:
    """The entries of a run on a host, and the present state of each of its changes."""

    entries: tuple[Entry, ...]
    verdicts: dict[str, Verdict]

    def of(self, *wanted: Verdict) -> list[Entry]:
        """Return the entries with one of these verdicts, the newest first."""
        return [each for each in reversed(self.entries) if self.verdicts[each.number] in wanted]


def check_part(part: str) -> None:
    """Raise InvalidInput if no run can have this in its name."""
    if part and not PART.fullmatch(part):
        raise InvalidInput(f"--run: {part[:40]!r} is not a part of the name of a run", "fab history shows their names")


def recorded(run: Run, hosts: Sequence[Host], part: str, force: bool) -> tuple[Past, dict[str, Recorded]]:
    """Return the run to take back, and what each host has recorded of it.

    Without `part`, it is the last one that changed anything. Raises InvalidInput if there is none, or if that took back
    another; FleetError if a host cannot be asked.
    """
    for chosen in [past(run.connections, part)] if part else _candidates(run):
        if chosen.outcome == "running":
            raise InvalidInput(f"{chosen.run} is still running", "wait for its end: fab history")
        found = run.each(hosts, partial(_ask, run, chosen.run, force))
        if part or chosen.changed or any(each.entries for each in found.values()):
            return chosen, found
    raise InvalidInput("no run in the history has changed anything", "fab history")


def _candidates(run: Run) -> Iterator[Past]:
    """Yield the runs that may have changed something, the newest first; one that was killed does not say."""
    for each in history(run.connections, LOOKED_AT):
        if not each.changed and each.outcome not in ("killed", "running"):
            continue
        if not each.runbook.startswith(UNDO) or each.outcome == "running":
            yield each
        elif each.outcome == "changed":
            raise InvalidInput(
                f"the last run that changed anything is {each.run}, the {each.runbook}: it is not undone itself",
                "fab deploy makes the changes again that hosts.yaml still has; --run names an older run to undo",
            )
        else:  # it did not get to its end
            yield past(run.connections, each.runbook.removeprefix(UNDO))


def _ask(run: Run, name: str, force: bool, host: Host) -> Recorded:
    nonce = os.urandom(6).hex()
    output = run_script(run.connections, host, list_script(name, nonce))
    with reading(host.name, "undo"):
        entries, states = read_list(output.text, nonce)
        return Recorded(tuple(entries), verdicts(entries, states, force))
