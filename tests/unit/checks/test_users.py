"""Whether a run has created a user."""

from __future__ import annotations

import pytest

from aerodrome.checks.users import UserCreated
from aerodrome.core.check import Finding

CHECK = UserCreated("ada lovelace", "1f3a")


def test_a_run_asks_for_what_it_has_written_itself_where_only_root_can() -> None:
    assert CHECK.probe() == "cat /run/aerodrome/user-1f3a 2>/dev/null"


@pytest.mark.parametrize("said", ["created", "already existed, password reset"])
def test_it_is_done(said: str) -> None:
    assert CHECK.judge(f"{said}\n") == [Finding("user ada lovelace", "ok", said)]


@pytest.mark.parametrize("answer", ["", "created, or so", "@note: created"])
def test_anything_else_is_not(answer: str) -> None:
    assert CHECK.judge(answer) == [Finding("user ada lovelace", "failed", "not created in this run")]
