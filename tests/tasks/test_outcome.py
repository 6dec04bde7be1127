"""How a run ends, as an event."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.core.event import Event, Failed, Outcome, RunEnded
from aerodrome.errors import FleetError, HostError, InvalidInput
from tasks.outcome import outcome


def ended(error: BaseException | None = None, changed: tuple[str, ...] = (), went: Outcome | None = None) -> RunEnded:
    """Return the event that a run ends with, and assert that its error is passed on."""
    events: list[Event] = []

    def run() -> None:
        with outcome(events.append, lambda: list(changed), lambda: went):
            assert events == []
            if error:
                raise error

    if error:
        with pytest.raises(type(error)) as caught:
            run()
        assert caught.value is error
    else:
        run()
    (event,) = events
    assert isinstance(event, RunEnded) and event.seconds >= 0
    return replace(event, seconds=0)


def test_a_run_that_went_well() -> None:
    assert ended() == RunEnded("unchanged", 0)
    assert ended(changed=("w1", "w2")) == RunEnded("changed", 0, ("w1", "w2"))
    assert ended(went="held") == RunEnded("held", 0)


@pytest.mark.parametrize(
    "error, errors",
    [
        (InvalidInput("no such role", "roles are …"), (Failed("", "", "no such role", "roles are …"),)),
        (HostError("db1", "lock", "is taken"), (Failed("db1", "lock", "is taken"),)),
        (
            FleetError([HostError("w1", "a", "x", "y", "z"), HostError("w2", "b", "x")]),
            (Failed("w1", "a", "x", "y", "z"), Failed("w2", "b", "x")),
        ),
        (AssertionError("odd"), (Failed("", "", "unexpected AssertionError: odd"),)),
    ],
)
def test_a_run_that_failed_says_what_it_had_changed(error: Exception, errors: tuple[Failed, ...]) -> None:
    assert ended(error, ("w1",)) == RunEnded("failed", 0, ("w1",), errors)


def test_a_run_that_was_interrupted() -> None:
    assert ended(KeyboardInterrupt(), ("w1",), "held") == RunEnded("interrupted", 0, ("w1",))
