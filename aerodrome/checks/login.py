"""A login to a database that somebody else runs."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.dataclass import dataclass


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

    def judge(self, answer: str) -> list[Finding]:
        answer = answer.strip()
        if answer == "in":
            return []
        if answer:
            message = f"cannot log in to the database at {self.server}: {answer}"
            hint = "its administrator must run the statements shown"
            return [Finding(self.key, "refused", message, hint, self.grants)]
        message = "Airflow is not installed here, so the login cannot be tested"
        waits = f"log in to the database at {self.server}"
        return [Finding(self.key, "refused", message, "fab setup-node does both", waits_for=self.needs, waits_to=waits)]
