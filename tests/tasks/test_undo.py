"""`fab undo` without hosts: what is refused before any connection."""

from __future__ import annotations

import pytest

from tests.tasks.conftest import Fab


@pytest.mark.parametrize("name", ["../x", "*", "no such run", "20261124T181500Z-1f3a0", "-rf"])
def test_what_is_no_name_of_a_run_is_refused_before_any_connection(fab: Fab, name: str) -> None:
    done = fab("undo", f"--run={name}")
    assert done.code == 1
    assert done.err.startswith(f"error: --run: {name!r} is not a part of the name of a run\n  → fab history")


def test_a_host_that_cannot_be_reached_is_named(fab: Fab) -> None:
    done = fab("undo", "--yes")
    assert done.code == 1 and done.err.startswith("one: connect: "), done.err
