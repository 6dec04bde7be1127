"""A login to a database that somebody else runs."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.login import DatabaseLogin

LOGIN = DatabaseLogin("pg:5432", "try it", "link /venv", "CREATE ROLE airflow LOGIN;")


def refused(text: str) -> AerodromeError:
    with pytest.raises(AerodromeError) as caught:
        LOGIN.changes(Seen(text, frozenset({"file /etc/hosts"})))
    return caught.value


def test_a_login_is_only_tried() -> None:
    assert (LOGIN.key, LOGIN.probe()) == ("login pg:5432", "try it")


@pytest.mark.parametrize("text", ["in", "in\n"])
def test_a_login_that_works_needs_nothing(text: str) -> None:
    assert LOGIN.changes(Seen(text)) == []


def test_a_login_that_does_not_is_told_with_what_has_to_be_run() -> None:
    error = refused('OperationalError: FATAL:  password authentication failed for user "airflow"\n')
    assert error.message == (
        "cannot log in to the database at pg:5432: "
        'OperationalError: FATAL:  password authentication failed for user "airflow"'
    )
    assert (error.hint, error.detail) == ("its administrator has to run what is shown", "CREATE ROLE airflow LOGIN;")


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_login_that_cannot_be_tried_says_what_is_missing(text: str) -> None:
    error = refused(text)
    assert (error.message, error.hint, error.detail) == (
        "Airflow is not set up here, and the login cannot be tried",
        "fab setup-node does both",
        "",
    )


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_login_waits_for_what_it_needs_and_holds_back_what_follows(text: str) -> None:
    waits = Change("log in to the database at pg:5432", "", gate=True)
    assert LOGIN.changes(Seen(text, frozenset({"link /venv"}))) == [waits]


def test_a_login_that_can_be_tried_does_not_wait_for_other_packages() -> None:
    seen = frozenset({"link /venv"})
    assert LOGIN.changes(Seen("in\n", seen)) == []
    with pytest.raises(AerodromeError):
        LOGIN.changes(Seen("OperationalError: refused\n", seen))
