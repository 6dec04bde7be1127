"""Take back what a run has changed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.confirm import YES, confirmed
from tasks.session import JSON, WAIT, Session, session

if TYPE_CHECKING:
    from aerodrome.engine.undo import Recorded

OPTIONS = {
    "run": "which run: its id, or a part of it, as in fab history (default: the last one that changed anything)",
    "force": "also take back what somebody, or a later run, has changed since",
}


@task(help={**OPTIONS, **YES, **WAIT, **JSON})
def undo(
    context: Any, run: str = "", yes: bool = False, force: bool = False, wait: str | None = None, json: bool = False
) -> None:
    """Take back what a run changed on all hosts, or those of -H: show it, ask, and put back what was there before.

    Files, links, blocks of lines, and whether units run and are enabled have a way back. Packages, users, passwords,
    installed releases and the content of databases have none; they are listed. If something is no longer what the run
    left, or if it changed Airflow's version, nothing is undone. hosts.yaml stays as it is: fab plan shows the undone
    changes again.

    Examples:
      fab undo
      fab undo --run=1f3a --yes        # the run 20261124T181500Z-1f3a
      fab -H web1 undo --force         # only on web1, even what was changed there since
    """
    from aerodrome.engine.undo import check_part, recorded
    from aerodrome.runbooks.undo import check_versions, undo

    check_part(run)
    with session(context, wait, json) as begun:
        past, found = recorded(begun.run, begun.hosts, run, force)
        if json:
            _note(begun, found)
        else:
            _show(past, found)
        _refuse(found)
        check_versions({host: each.of("back") for host, each in found.items()})
        if any(each.of("back") for each in found.values()) and _agreed(yes, json):
            entries = {host: each.entries for host, each in found.items()}
            begun.perform(partial(undo, run=past.run, found=entries, force=force), [])


def _show(past: Any, found: dict[str, Recorded]) -> None:
    from aerodrome.report.terminal import say
    from aerodrome.report.undo import show_undo

    show_undo(past, {host: (each.entries, each.verdicts) for host, each in found.items()})
    if not any(each.of("back", "changed") for each in found.values()):
        say("no changes: there is nothing to take back")


def _note(begun: Session, found: dict[str, Recorded]) -> None:
    """Tell programs what has no way back; the rest are events of its own."""
    from aerodrome.core.event import Note

    for host, each in found.items():
        for entry in each.of("none"):
            begun.sink.emit(Note(host, f"{entry.step}: {entry.change} (no way back)"))


def _refuse(found: dict[str, Recorded]) -> None:
    """Raise FleetError if anything has been changed since."""
    from aerodrome.errors import FleetError, HostError
    from aerodrome.resources.taken_back import FORCE, SINCE

    changed = [(host, entry) for host, each in found.items() for entry in each.of("changed")]
    if changed:
        raise FleetError([HostError(host, each.step, f"{each.resource} {SINCE}", FORCE) for host, each in changed])


def _agreed(yes: bool, json: bool) -> bool:
    """Ask whether to go on; raise InvalidInput if nobody can answer."""
    from aerodrome.report.terminal import say

    if yes or confirmed("Take this back?", "nothing was undone", "the changes", alone=json):
        return True
    say("nothing was undone")
    return False
