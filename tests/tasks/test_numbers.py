"""Options that are numbers."""

from __future__ import annotations

import pytest

from aerodrome.errors import InvalidInput
from tasks.numbers import number


@pytest.mark.parametrize(
    "text", ["many", "²", "-1", "1e3", "100001", "9" * 5000, "\N{ARABIC-INDIC DIGIT THREE}", " 5", "", "5\n"]
)
def test_what_is_not_a_number_is_one_short_line(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a number from 0 to 100000$") as caught:
        number("lines", text, 0, 100_000)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("text, value", [("0", 0), ("007", 7), ("100000", 100_000)])
def test_plain_digits_are_one(text: str, value: int) -> None:
    assert number("lines", text, 0, 100_000) == value
