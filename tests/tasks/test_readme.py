"""README.md: its table of tasks names every task of fab, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from fabfile import namespace

README = Path(__file__).parents[2] / "README.md"


def names(cell: str) -> list[str]:
    """Return the tasks named in a cell of the table: each is in backquotes, possibly with “fab” and arguments."""
    return [code.removeprefix("fab ").split()[0] for code in re.findall(r"`([^`]+)`", cell)]


def test_the_table_names_every_task() -> None:
    rows = re.findall(r"^\| (`fab [^|]*) \| (.*) \|$", README.read_text().split("## Tasks")[1].split("\n## ")[0], re.M)
    named = [name for cell, _ in rows for name in names(cell)]
    parts = [f"node.{name}" for name in namespace.collections["node"].task_names]
    assert [name for name in parts if f"`{name}`" not in dict(rows)["`fab setup-node`"]] == []
    old = ["lock.pin"]  # fab lock, the old name of fab pin
    defaults = {
        "backups": "backups.list",
        "upgrade": "upgrade.run",
    }  # a task that is called by the name of its collection
    named = [defaults.get(name, name) for name in named]
    assert sorted(named + parts + old) == sorted(namespace.task_names)
