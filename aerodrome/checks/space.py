"""Whether there is room for another virtual environment."""

from __future__ import annotations

from aerodrome.core.check import Finding, refused
from aerodrome.core.resource import quote
from aerodrome.core.size import megabytes
from aerodrome.dataclass import dataclass
from aerodrome.resources.reading import free_at

NEEDED = 800 << 20  # bytes: 2.11.2 and 3.3.2 take 250 to 320 MB, and uv's cache on first use as much again


@dataclass(frozen=True)
class RoomForEnvironment:
    """The file system of the environments has room for one more, unless one of that version is there."""

    place: str  # root's directory of the environments
    version: str

    @property
    def key(self) -> str:
        return f"room for Airflow {self.version}"

    def probe(self) -> str:
        """Return sh that prints `there`, or what is free: blocks and their size in bytes."""
        made = f"{quote(self.place)}/venvs/{quote(self.version)}-py*.complete"
        return (
            f'for made in {made}; do [ ! -e "$made" ] || made=; done; if [ -z "$made" ]; then echo there; else\n'
            f"{free_at(quote(self.place), '%a %S')}; fi"
        )

    def judge(self, answer: str) -> list[Finding]:
        words = answer.split()
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return []
        if (free := int(words[0]) * int(words[1])) >= NEEDED:
            return []
        message = f"not enough space for Airflow {self.version} in {self.place}: {megabytes(free)} are free"
        return refused(self, message, f"it takes {megabytes(NEEDED)} while it is installed; free some")
