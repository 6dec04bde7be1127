"""Which upgrades are supported."""

from __future__ import annotations

import pytest

from aerodrome.catalogue.upgrade import needs_repair, steps, unsupported


@pytest.mark.parametrize(
    ("before", "after"),
    [("1.10.10", "2.11.2"), ("2.11.2", "3.3.2"), ("2.7.0", "3.3.2"), ("3.1.8", "3.3.2"), ("2.10.5", "2.11.2")],
)
def test_one_step(before: str, after: str) -> None:
    assert unsupported(before, after) == ""
    assert steps(before, after) == (after,)


@pytest.mark.parametrize("before", ["1.10.10", "2.3.0", "2.6.3"])
def test_two_steps(before: str) -> None:
    assert unsupported(before, "3.3.2") == ""
    assert steps(before, "3.3.2") == ("2.11.2", "3.3.2")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("1.10.10", "2.3.0", "from 1.10.10, upgrade to 2.11.2 or later"),
        ("3.3.2", "3.3.2", "the fleet already runs Airflow 3.3.2"),
        (
            "3.3.2",
            "2.11.2",
            "2.11.2 is older than 3.3.2, which has migrated the database; fab upgrade --back undoes an upgrade",
        ),
        ("2.11.2", "3", "'3' is not a version such as 3.3.2"),
        ("2.11.2", "latest", "'latest' is not a version such as 3.3.2"),
    ],
)
def test_what_is_not(before: str, after: str, why: str) -> None:
    assert unsupported(before, after) == why


def test_only_databases_of_1_need_a_repair() -> None:
    assert [needs_repair(version) for version in ("1.10.10", "1.10.x", "2.11.2")] == [True, True, False]
