"""A login to a database that is managed elsewhere."""

from __future__ import annotations

import pytest

from aerodrome.checks.login import DatabaseLogin
from aerodrome.core.check import Finding

LOGIN = DatabaseLogin("pg:5432", "try it", "link /venv", "CREATE ROLE airflow LOGIN;")


def refused(text: str) -> Finding:
    (finding,) = LOGIN.judge(text)
    assert finding.verdict == "refused"
    return finding


def test_a_login_is_only_tried() -> None:
    assert (LOGIN.key, LOGIN.probe()) == ("login pg:5432", "try it")


@pytest.mark.parametrize("text", ["in", "in\n"])
def test_a_login_that_works_needs_nothing(text: str) -> None:
    assert LOGIN.judge(text) == []


def test_a_login_that_fails_is_reported_with_what_has_to_be_run() -> None:
    finding = refused('OperationalError: FATAL:  password authentication failed for user "airflow"\n')
    assert finding.detail == (
        "cannot log in to the database at pg:5432: "
        'OperationalError: FATAL:  password authentication failed for user "airflow"'
    )
    assert (finding.hint, finding.evidence) == (
        "its administrator must run the statements shown",
        "CREATE ROLE airflow LOGIN;",
    )


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_login_that_cannot_be_tried_says_what_is_missing(text: str) -> None:
    finding = refused(text)
    assert (finding.detail, finding.hint, finding.evidence) == (
        "Airflow is not installed here, so the login cannot be tested",
        "fab setup-node does both",
        "",
    )


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_login_is_put_off_until_what_it_needs_is_there(text: str) -> None:
    finding = refused(text)
    assert (finding.waits_for, finding.waits_to) == ("link /venv", "log in to the database at pg:5432")


def test_a_login_that_can_be_tried_is_never_put_off() -> None:
    assert refused("OperationalError: refused\n").waits_for == ""
