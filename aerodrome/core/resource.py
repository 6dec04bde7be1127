"""Resources: pure values that a host is compared with and brought to."""

from __future__ import annotations

import difflib
import shlex
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass

quote = shlex.quote

# Lines of a change's output with these beginnings are shown to the operator as they come: the reason for a wait, a
# note, and the running tasks that it has killed. Killed tasks are a failure unless the operator asked for that.
WAITING, NOTE, KILLED = "@waiting for ", "@note: ", "@killed "

MOST_LINES, MOST_PAIRS = 20_000, 100_000  # that a diff is made of

# The beginning of every remote script: one language for messages, and a PATH that has sbin for any login.
PRELUDE = """\
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
cd /
"""


@dataclass(frozen=True)
class Change:
    """One thing to do on a host.

    `script` is POSIX sh, run with `set -eu`; an empty one says that the change can only be worked out once
    what comes before it has been applied. `payload` is what the script reads, whole, from file descriptor 3.
    `restarts` names the unit that the script starts or restarts; `interrupts` is set where it was running.
    """

    summary: str
    script: str
    diff: str = ""
    payload: bytes = b""
    restarts: str = ""
    interrupts: bool = False
    attributes: bool = False  # only owner or mode: what reads the file need not restart
    gate: bool = False  # what comes after it is held back until it has been asked again
    undo: Undo | None = None  # None: there is no way back


@dataclass(frozen=True)
class Seen:
    """The output of a probe, and which of the host's earlier resources (by key) are about to change."""

    text: str
    changing: frozenset[str] = frozenset()


class Resource(Protocol):
    """A thing on a host, as it should be; pure: no SSH, no files, no clock."""

    @property
    def key(self) -> str:
        """Name the resource, uniquely on its host: `file /etc/hosts`."""

    def probe(self) -> str:
        """Return POSIX sh that only reads, and prints what `changes` needs to know."""

    def changes(self, seen: Seen) -> list[Change]:
        """Return the changes that are needed, given the probe's output; none if everything is as it should be.

        Raises AerodromeError if the host is in a state that must not be touched.
        """


class Settling(ABC):
    """The base of a resource that may still fail although nothing has to be changed: a running unit."""

    @abstractmethod
    def unsettled(self, seen: Seen) -> bool:
        """Return whether it runs but has died before, and so has to be watched."""

    @abstractmethod
    def settled(self) -> Resource:
        """Return the resource without one-time requests, such as a restart."""


def unified_diff(path: str, old: str, new: str) -> str:
    """Return the unified diff of a file, or nothing if both are the same.

    If what a host has would take too long to compare, only the numbers of lines.
    """
    before, after = old.splitlines(), new.splitlines()
    if _pairs(before, after) > MOST_PAIRS or len(before) > MOST_LINES:
        shown = [f"--- {path}", f"+++ {path}", f"-({len(before)} lines)", f"+({len(after)} lines)"]
        return "\n".join(shown if old != new else [])
    return "\n".join(difflib.unified_diff(before, after, fromfile=path, tofile=path, lineterm="", n=2))


def _pairs(before: Sequence[str], after: Sequence[str]) -> int:
    """Count the pairs of equal lines, which is what difflib takes its time for: a host may have a million empty ones.

    difflib passes over lines that make up more than 1 % of a long file (`autojunk`).
    """
    counts = Counter(after)
    popular = len(after) // 100 + 1 if len(after) >= 200 else len(after)
    return sum(number for line in before if (number := counts.get(line, 0)) <= popular)


def as_user(user: str, command: str, home: str = "") -> str:
    """Return sh that runs a command, quoted already, as another user; with `home` its HOME is set to that.

    It inherits neither the payload (descriptor 3), which may hold secrets, nor the host's lock (9), which a process
    that it leaves behind would hold forever. A here-document for it goes after what is returned.
    """
    environment = f"env HOME={quote(home)} " if home else ""
    return f"runuser -u {quote(user)} -- {environment}{command} 3<&- 9<&-"


def put_text(text: str, into: str) -> str:
    """Return sh that writes `text` to `into`, which is quoted already; the text is in no process's argv."""
    if text.endswith("\n"):
        return f"cat >{into} {heredoc(text)}"
    return f"printf %s {quote(text)} >{into}"  # printf is the shell's own; a here-document would add a newline


def heredoc(text: str) -> str:
    """Return `text`, which ends in a newline, as a here-document's body with its quoted delimiter first.

    A here-document reaches its reader through a pipe or an unlinked file: never through argv.
    """
    delimiter = "END_OF_FILE"
    lines = text.split("\n")
    while delimiter in lines:
        delimiter += "_"
    return f"<<'{delimiter}'\n{text}{delimiter}"
