"""Whether it is safe to change Airflow's version under running units."""

from __future__ import annotations

import re

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass
from aerodrome.resources.version import Installation

# What the program reports about the metadata database: never migrated, at the version that is installed here, at
# another version, or unknown on this host.
EMPTY, HERE, ELSEWHERE, UNKNOWN = "empty", "here", "elsewhere", "unknown"


@dataclass(frozen=True)
class Version:
    """Airflow's version does not change while the metadata database is at the version in use.

    `ask` is sh that prints the state of the database. It runs only if the versions differ, with `$venv` set to the
    environment in use.
    """

    installation: Installation
    ask: str
    accepted: bool = False  # everything stops first, which the operator has accepted; or both use the same database

    @property
    def key(self) -> str:
        return f"version {self.installation.wanted}"

    def probe(self) -> str:
        return self.installation.look(self.ask)

    def judge(self, answer: str) -> list[Finding]:
        found, answer = self.installation.read(answer)
        if not found or answer in (EMPTY, ELSEWHERE, UNKNOWN):
            return []
        wanted = self.installation.wanted
        if answer == HERE and _numbers(wanted)[:2] < _numbers(found)[:2]:
            return refused(
                self,
                f"the fleet runs Airflow {found}, which has migrated the metadata database; {wanted} cannot use it",
                f"set airflow.version: {found}; to go back after an upgrade: fab upgrade --back",
            )
        if self.accepted:
            return []
        if answer == HERE and _numbers(wanted) < _numbers(found):
            return refused(
                self,
                f"the fleet runs Airflow {found}, and {wanted} is older",
                f"set airflow.version: {found}; to go back after an upgrade: fab upgrade --back",
            )
        hint = (
            f"fab upgrade --to={wanted} rehearses it, backs up, and goes back by itself if it fails"
            " (fab deploy --accept-downtime only stops everything in a safe order first);"
            " or set airflow.version to what runs"
        )
        if answer == HERE:
            message = (
                f"Airflow {found} is in use here, and the metadata database is at its version: a change to {wanted}"
                " would fail running tasks, or run them twice"
            )
            return refused(self, message, hint)
        why = answer or "no answer"
        return refused(
            self,
            f"Airflow {found} is in use here, and the metadata database cannot be asked whether it is at its version"
            f" (if so, a change to {wanted} would fail running tasks): {why}",
            hint,
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version's numbers; releases that share the first two can use each other's migrated database."""
    return tuple(int(part) for part in re.findall(r"\d{1,9}", version)[:3])
