"""Whether a run has created a user of the web UI."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass

CREATED, RESET = "created", "already existed, password reset"
FOLDER = "/run/aerodrome"  # root's own (core.plan.RUNTIME): the service user's code cannot claim that it is done


@dataclass(frozen=True)
class UserCreated:
    """The user has been created, or has got a new password, in the run with this `mark`.

    No host says what a password is. So each run does this again, and asks only whether it has done so itself.
    """

    name: str
    mark: str  # a new one for each run

    @property
    def key(self) -> str:
        return f"user {self.name}"

    @property
    def file(self) -> str:
        """The file into which the run writes what it has done."""
        return f"{FOLDER}/user-{self.mark}"

    def probe(self) -> str:
        return f"cat {quote(self.file)} 2>/dev/null"

    def judge(self, answer: str) -> list[Finding]:
        done = answer.strip()
        if done in (CREATED, RESET):
            return [Finding(self.key, "ok", done)]
        return [Finding(self.key, "failed", "not created in this run")]
