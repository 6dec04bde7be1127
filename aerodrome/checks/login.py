"""A login to a database that is managed elsewhere."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class DatabaseLogin:
    """A login that works from this host over TCP. It is only tried, never created.

    It is tried with the credentials in hosts.yaml, before they are written anywhere. `program` is sh that prints `in`,
    or one line with the reason, or nothing if `needs`, the link to the virtual environment, does not exist yet. On such
    a host, later resources wait until the environment is installed and the login has worked.
    """

    server: str  # HOST:PORT, for messages
    program: str
    needs: str  # the key of a resource
    grants: str  # the statements that the database's administrator has to run

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
