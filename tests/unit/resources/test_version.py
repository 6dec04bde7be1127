"""The stop of a unit where Airflow's version changes."""

from __future__ import annotations

from aerodrome.core.resource import quote
from aerodrome.resources.version import Installation

INSTALLATION = Installation(("/opt/venv", "/home/astro/airflow-venv"), "3.3.2")


def test_a_change_of_version_is_a_reason_to_halt() -> None:
    assert INSTALLATION.reason("found 2.11.2\n") == "Airflow 2.11.2 becomes 3.3.2"
    assert INSTALLATION.reason("") == ""


def test_paths_are_quoted() -> None:
    assert quote("/a b") in Installation(("/a b",), "3.3.2").find()
