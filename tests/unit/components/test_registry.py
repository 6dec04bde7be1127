"""Roles: each is described by one file, and by nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.components import roles
from aerodrome.components.registry import components
from tests.unit.make import fleet, inputs


def test_the_order_of_a_deploy() -> None:
    order = ["database", "redis", "scheduler", "dag-processor", "triggerer", "webserver", "worker"]
    assert list(components()) == order


def test_a_role_s_file_has_its_name() -> None:
    files = {file.stem for file in Path(roles.__path__[0]).glob("[a-z]*.py")}
    assert files == {name.replace("-", "_") for name in components()}


@pytest.mark.parametrize(
    "version, commands",
    [
        ("1.10.10", {"scheduler": "scheduler", "webserver": "webserver", "worker": "worker"}),
        (
            "2.11.2",
            {
                "scheduler": "scheduler",
                "triggerer": "triggerer",
                "webserver": "webserver",
                "worker": "celery worker",
            },
        ),
        (
            "3.3.2",
            {
                "scheduler": "scheduler",
                "dag-processor": "dag-processor",
                "triggerer": "triggerer",
                "webserver": "api-server",
                "worker": "celery worker",
            },
        ),
    ],
)
def test_roles_and_commands(version: str, commands: dict[str, str]) -> None:
    given = inputs(fleet(version=version))
    assert {role.name: role.commands[given.catalogue.major] for role in given.version_roles} == commands


def test_a_role_without_a_description_is_never_taken_for_another() -> None:
    with pytest.raises(KeyError, match="flower"):
        inputs().role("flower")
    with pytest.raises(AssertionError, match="database runs no Airflow"):
        inputs().role("database")
