"""The releases on a host."""

from __future__ import annotations

from aerodrome.checks.releases import HeldReleases, Release, before
from aerodrome.resources.release import Releases
from tests.unit.make import Shell

DAGS = Releases("release", "/s/dags", "/s/dags-releases")
CHECK = HeldReleases("w1", "dags", DAGS)
ANSWER = """\
1000
/s/dags-releases/c
entry 900|root|directory|/s/dags-releases/d
entry 800|root|directory|/s/dags-releases/c
entry 700|root|directory|/s/dags-releases/b
entry 600|root|directory|/s/dags-releases/a
entry 950|astro|directory|/s/dags-releases/by-hand-7
entry 500|root|directory|/s/dags-releases/.old-x
unused b
unused d
"""


def test_each_release_and_what_it_is_good_for() -> None:
    found = CHECK.judge(ANSWER)
    assert [(each.name, each.put, each.age, each.state) for each in found] == [
        ("by-hand-7", 950, 50, "made by hand"),
        ("d", 900, 100, "older"),  # DAGs went back
        ("c", 800, 200, "in use"),
        ("b", 700, 300, "previous"),
        ("a", 600, 400, "used by a process"),
    ]
    assert all((each.host, each.subject, each.ok) == ("w1", "dags", True) for each in found)


def test_an_environment_without_its_marker_is_incomplete() -> None:
    of = Releases("environment", "/o/venv", "/o/venvs", marker=".complete")
    text = "entry 9|root|directory|/o/venvs/a\nentry 8|root|directory|/o/venvs/b\nentry 8|root|file|/o/venvs/b.complete"
    found = HeldReleases("w1", "environment", of).judge(f"10\n/o/venvs/b\n{text}\n")
    assert [(each.name, each.put, each.state) for each in found] == [("b", 8, "in use"), ("a", 0, "incomplete")]


def test_a_host_without_any(sh: Shell) -> None:
    answer = sh(HeldReleases("w1", "dags", Releases("release", "/no/dags", "/no/dags-releases")).probe()).stdout
    assert CHECK.judge(answer.decode()) == []
    assert CHECK.judge("") == []


def test_a_host_that_cannot_be_asked() -> None:
    assert CHECK.unknown("is down") == [Release("dags", "failed", "is down", host="w1")]


def test_the_one_before() -> None:
    assert before("b", ["c", "b", "a"]) == "a"
    assert before("a", ["c", "b", "a"]) == before("x", ["a"]) == before("", []) == ""
