"""Another virtual environment of the Airflow in use: all DAGs are imported with it before any node uses it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.core.undo import NOTHING
from aerodrome.dataclass import dataclass
from aerodrome.resources.dag_imports import compared, recorded, refuse_new_errors
from aerodrome.resources.python import Installed

IN_USE, NEW = "the environment in use", "the new one"


@dataclass(frozen=True)
class ComparedEnvironments:
    """This run has imported all DAGs with the environment in use and with the one that takes its place, if one does.

    `script` returns sh that imports them with $venv/bin/python in a sandbox, as the service user; it takes a while to
    compose, and is seldom needed. It asks what the resource does that installs the environment.
    """

    of: Installed
    script: Callable[[], str]
    key = "imports of DAGs"

    def probe(self) -> str:
        return self.of.probe()

    def changes(self, seen: Seen) -> list[Change]:
        python, link, found = self.of.state(seen)
        if not self.of.holds(link) or "imported" in found:
            return []
        if python == "none":
            return [Change("import every DAG with the new environment and with the one in use", "", undo=NOTHING)]
        if link == (path := self.of.directory(python)):
            return []
        script = self.script()
        before, after = (f"{{ venv={quote(venv)}\n{script}\n}}" for venv in (link, path))
        summary = f"import every DAG with environment {self.of.name(python)} and with the one in use"
        return [Change(summary, compared((IN_USE, before), (NEW, after), self.of.run), undo=NOTHING)]


@dataclass(frozen=True)
class NoNewErrors:
    """There are no DAGs that only the environment in use can import, as far as this run has asked; or `allow`."""

    run: str
    allow: bool = False
    key = "import errors of DAGs"

    def probe(self) -> str:
        return recorded(self.run)

    def changes(self, seen: Seen) -> list[Change]:
        """Return nothing: there is nothing to do about it here. Raises AerodromeError if there are such DAGs."""
        if seen.text.strip():
            refuse_new_errors(seen.text, IN_USE, NEW, self.allow)
        return []


@dataclass(frozen=True)
class Linked:
    """The link leads to the environment that has been installed, if it was not switched at once."""

    of: Installed

    @property
    def key(self) -> str:
        return self.of.key

    def probe(self) -> str:
        return self.of.probe()

    def changes(self, seen: Seen) -> list[Change]:
        python, link, _ = self.of.state(seen)
        if not self.of.holds(link):
            return []
        if python == "none":
            return [Change(f"link {self.of.link} to the new environment", "")]
        path = self.of.directory(python)
        return [replace(self.of.switch(path, link), summary=f"link {self.of.link} to {path}")] if link != path else []
