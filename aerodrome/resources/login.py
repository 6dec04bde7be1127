"""A login to a database that somebody else runs."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen


@dataclass(frozen=True)
class DatabaseLogin:
    """A login that works, from this very host, over TCP and with the node's own credentials; only tried, never made.

    `program` is sh that prints `in`, or in one line why not. What it needs on the host are the resources `needs`.
    """

    server: str  # for messages: HOST:PORT
    program: str
    needs: tuple[str, ...]
    grants: str  # what the database's administrator has to run

    @property
    def key(self) -> str:
        return f"login {self.server}"

    def probe(self) -> str:
        return self.program

    def changes(self, seen: Seen) -> list[Change]:
        if seen.changing & set(self.needs):
            return [Change(f"log in to the database at {self.server}", "")]
        answer = seen.text.strip()
        if answer == "in":
            return []
        if not answer:
            raise AerodromeError(
                "Airflow is not set up here, and the login cannot be tried", "fab setup-node does both"
            )
        message = f"cannot log in to the database at {self.server}: {answer}"
        raise AerodromeError(message, "its administrator has to run what is shown", self.grants)
