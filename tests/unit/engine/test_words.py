"""The last output of a program that failed, and hints about it."""

from __future__ import annotations

import pytest

from aerodrome.components.hints import HINTS
from aerodrome.engine.words import hint, last_words


def test_last_words_are_the_last_lines_that_say_something() -> None:
    assert last_words("1\n\n2\n  \n3\n", 2) == "2\n3"
    assert last_words("\n\n") == ""
    assert last_words("\n".join(str(number) for number in range(99))).splitlines() == [
        str(number) for number in range(87, 99)
    ]


@pytest.mark.parametrize(
    "words, what",
    [
        ('FATAL:  password authentication failed for user "airflow"', "the database rejects the password"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.4"', "the database does not allow this host"),
        ("tar: x: Cannot write: No space left on device", "the disk is full"),
        ("curl: (6) Could not resolve host: index.example.com", "the host cannot resolve names"),
        ("curl error: Couldn't resolve host name for https://mirrors.example.com", "the host cannot resolve names"),
        ("E: Unable to locate package postgresql", "its package sources do not have it: check /etc/apt/sources.list.d"),
        ("E: Package 'python3.7' has no installation candidate", "its package sources do not have it: check /etc/apt/"),
        ("No match for argument: python3.12", "its package sources do not have it: check dnf repolist"),
        (
            "  - nothing provides libpq needed by postgresql-server",
            "its package sources do not have it: check dnf repolist",
        ),
        ("OSError: [Errno 98] Address already in use", "something else is using the port"),
        ("mkdir: cannot create directory: Read-only file system", "a file system is mounted read-only"),
        ("Failed to set up mount namespacing: /data: No such file", "a path in read_write_paths is missing"),
    ],
)
def test_failures_that_are_known_by_what_they_print(words: str, what: str) -> None:
    assert hint(f"before\n{words}\nafter", HINTS).startswith(what)


def test_a_failure_that_nobody_knows_has_no_hint() -> None:
    assert hint("Segmentation fault", HINTS) == ""
