"""Directories with their owner and mode."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import Found, make_directory, probe_kind, set_attributes


@dataclass(frozen=True)
class Directory:
    """A directory with this owner and mode.

    With `owner_makes` it lies in another directory of its owner's, where root does nothing: the owner makes it.
    """

    path: str
    owner: str
    group: str
    mode: int = 0o755
    owner_makes: bool = False

    @property
    def key(self) -> str:
        return f"directory {self.path}"

    def probe(self) -> str:
        return probe_kind(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text, self.path)
        if found.kind == "directory":
            if (found.owner, found.group, found.mode) == (self.owner, self.group, self.mode):
                return []
            summary = f"own {self.path} {self.owner}:{self.group} {self.mode:04o}"
            return [Change(summary, self._own(found), attributes=True)]
        if found.kind:
            raise AerodromeError(f"{self.path} is a {found.kind}, but should be a directory", "move it away")
        if self.owner_makes:
            script = as_user(self.owner, f"mkdir -m {self.mode:04o} {quote(self.path)}")
        else:
            script = make_directory(self.path, self.owner, self.group, self.mode)
        return [Change(f"make directory {self.path}", script)]

    def _own(self, found: Found) -> str:
        if not self.owner_makes:
            return set_attributes(self.path, self.owner, self.group, self.mode)
        if (found.owner, found.group) != (self.owner, self.group):
            hint = f"chown -h {self.owner}:{self.group} {self.path}"
            raise AerodromeError(f"{self.path} belongs to {found.owner}:{found.group}", hint)
        return as_user(self.owner, f"chmod {self.mode:04o} {quote(self.path)}")
