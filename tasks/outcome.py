"""Emit how a run ends, as an event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aerodrome.core.event import Emit, Failed, Outcome


@contextmanager
def outcome(
    emit: Emit, changed: Callable[[], list[str]], went: Callable[[], Outcome | None] = lambda: None
) -> Iterator[None]:
    """Emit the outcome of the enclosed work, however it ends.

    `changed` returns the hosts that were changed, and `went` the outcome of work that changes no host.
    """
    from aerodrome.core.event import RunEnded

    began = time.monotonic()

    def end(how: Outcome, errors: tuple[Failed, ...] = ()) -> None:
        emit(RunEnded(how, time.monotonic() - began, tuple(changed()), errors))

    try:
        yield
    except KeyboardInterrupt:
        end("interrupted")
        raise
    except BaseException as error:
        end("failed", _errors(error))
        raise
    end(went() or ("changed" if changed() else "unchanged"))


def _errors(error: BaseException) -> tuple[Failed, ...]:
    from aerodrome.core.event import Failed
    from aerodrome.errors import AerodromeError, FleetError

    if isinstance(error, FleetError):
        return tuple(map(Failed.by, error.failures))
    if isinstance(error, AerodromeError):
        return (Failed.by(error),)
    return (Failed("", "", f"unexpected {type(error).__name__}: {str(error)[:300]}"),)
