"""Steps 3 to 5 of the guide, a task per role: write the drop-in, enable, start, and wait until it is healthy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invoke import Task

from tasks.session import JSON, perform

FOLDER = Path(__file__).resolve().parent.parent / "aerodrome" / "components" / "roles"


def role_tasks() -> Iterator[Task[Any]]:
    """Yield the task of each role. Its help is the docstring of the role's file, if that has examples.

    The files are read, not imported, because importing them is too slow for tab completion.
    """
    for file in sorted(FOLDER.glob("[a-z]*.py")):
        name, help = file.stem.replace("_", "-"), file.read_text().split('"""')[1]
        if f"fab roles.{name}" in help:
            yield _task(name, help)


def _task(name: str, help: str) -> Task[Any]:
    def start(context: Any, json: bool = False) -> None:
        from aerodrome.runbooks import units

        perform(context, units.start, name, unused=True, json=json)

    start.__doc__ = help
    return Task(start, name=name, help=JSON)
