"""The fleet's lock and the history, before any host is reached."""

from __future__ import annotations

import pytest

from tests.tasks.conftest import Fab


@pytest.mark.parametrize("task", ["lock.hold", "lock.release"])
@pytest.mark.parametrize(
    "reason, error",
    [
        ((), "error: --reason is missing"),
        (("--reason= \n ",), "error: --reason is missing"),
        (("--reason=" + "x" * 301,), "error: --reason has 301 characters"),
    ],
)
def test_whoever_holds_or_releases_the_lock_says_why(fab: Fab, task: str, reason: tuple[str, ...], error: str) -> None:
    done = fab(task, *reason)
    assert (done.code, done.err.splitlines()[0]) == (1, error)


def test_the_number_of_runs_is_checked(fab: Fab) -> None:
    done = fab("history", "--last=0")
    assert (done.code, done.err.splitlines()[0].startswith("error: --last")) == (1, True)
