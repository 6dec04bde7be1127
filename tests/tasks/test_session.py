"""The common start of every task."""

from __future__ import annotations

import pytest

from aerodrome.errors import InvalidInput
from tasks.session import seconds


@pytest.mark.parametrize("wait, found", [("0", 0), ("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200)])
def test_a_duration_in_seconds(wait: str, found: int) -> None:
    assert seconds(wait) == found


@pytest.mark.parametrize("wait", ["", "m", "-1", "1.5h", "1d", "١", "999999", "1 h"])
def test_what_is_not_a_duration(wait: str) -> None:
    with pytest.raises(InvalidInput, match="is not a duration"):
        seconds(wait)
