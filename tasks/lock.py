"""The fleet's lock: show its owner, hold it for maintenance, release one that a killed run has left."""

from __future__ import annotations

from typing import Any

from invoke import Task, task

from tasks import pin
from tasks.session import JSON, WAIT, session


@task(help={"json": "print JSON"})
def status(context: Any, json: bool = False) -> None:
    """Show who is changing the fleet, who holds it, or whose run was killed and left its lock.

    Examples:
      fab lock.status
      fab lock.status --json    # for a program
    """
    from aerodrome.engine.maintenance import lock_state
    from aerodrome.report.history import show_lock, show_lock_as_json

    with session(context) as run:
        found = lock_state(run.connections)
    (show_lock_as_json if json else show_lock)(found)


@task(help={"reason": "why the fleet must not change; shown to everyone who tries", **WAIT, **JSON})
def hold(context: Any, reason: str = "", wait: str | None = None, json: bool = False) -> None:
    """Prevent all runs, your own too, from changing the fleet until lock.release; runs without changes still work.

    Examples:
      fab lock.hold --reason="new switches in rack 4, until 18:00"
      fab lock.hold --reason=freeze --wait=1h    # wait longer for another run that is changing the fleet
    """
    from aerodrome.engine.maintenance import hold

    with session(context, wait, json) as run:
        why = _reason(reason)
        run.begin()
        hold(run.lock(), run.recorder, why)
        run.outcome = "held"
        run.tell("the fleet is held: nothing changes until fab lock.release --reason=…")


@task(help={"reason": "why it can be released; recorded in fab history", **JSON})
def release(context: Any, reason: str = "", json: bool = False) -> None:
    """End lock.hold, or break the lock that a killed run has left. The lock of a live run stays.

    The next run of the same performer takes such a lock over by itself, and finishes the job.

    Examples:
      fab lock.release --reason="maintenance is over"
      fab lock.release --reason="the CI job is gone"
    """
    from aerodrome.engine.maintenance import release

    with session(context, json=json) as run:
        why = _reason(reason)
        run.begin()
        if found := release(run.lock(breaks=True), run.recorder, why):
            run.outcome = "released"
        run.tell(f"released: {found}" if found else "the lock was free")


def _reason(text: str) -> str:
    """Return the reason, on one line; raise InvalidInput if it is empty or too long."""
    from aerodrome.errors import InvalidInput

    reason = " ".join(text.split())
    if not reason:
        raise InvalidInput("--reason is missing", 'give a reason: --reason="new switches, until 18:00"')
    if len(reason) > 300:
        raise InvalidInput(f"--reason has {len(reason)} characters", "at most 300")
    return reason


def _pin(context: Any, **given: Any) -> None:
    """Pin an Airflow version. This is the old name of `fab pin`, to be removed in the next release.

    Examples:
      fab lock --version=2.10.5 --python=3.12
      fab lock --version=2.10.5 --constraints=constraints.txt
    """
    from aerodrome.report.terminal import say

    say("note: fab lock is called fab pin now")
    pin.pin.body(context, **given)


_pin.__wrapped__ = pin.pin.body  # type: ignore[attr-defined]  # whose options it has
options: dict[str, Any] = {"iterable": pin.pin.iterable, "help": pin.pin.help, "auto_shortflags": False}
old_pin: Task[Any] = Task(_pin, name="pin", default=True, **options)
