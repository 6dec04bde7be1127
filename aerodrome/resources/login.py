"""A login to a database that somebody else runs."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError


@dataclass(frozen=True)
class DatabaseLogin:
    """A login that works, from this very host and over TCP; only tried, never made.

    It is tried with the credentials of hosts.yaml, before they are written: `program` is sh that prints `in`, or in
    one line why not, and nothing where `needs`, the link to the virtual environment, is not there yet. On such a host
    what follows waits until that has been installed and the login has worked.
    """

    server: str  # for messages: HOST:PORT
    program: str
    needs: str  # key of the resource
    grants: str  # what the database's administrator has to run

    @property
    def key(self) -> str:
        return f"login {self.server}"

    def probe(self) -> str:
        return self.program

    def changes(self, seen: Seen) -> list[Change]:
        answer = seen.text.strip()
        if answer == "in":
            return []
        if answer:
            message = f"cannot log in to the database at {self.server}: {answer}"
            raise AerodromeError(message, "its administrator has to run what is shown", self.grants)
        if self.needs in seen.changing:
            return [Change(f"log in to the database at {self.server}", "", gate=True)]
        raise AerodromeError("Airflow is not set up here, and the login cannot be tried", "fab setup-node does both")
