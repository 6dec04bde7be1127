"""Directories with their owner and mode."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import Found, make_directory, probe_kind, set_attributes


@dataclass(frozen=True)
class Directory:
    """A directory with this owner and mode.

    With `owner_makes` it is in another directory of its owner, where root does nothing: the owner makes it.
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
            return [Change(summary, self._own(found), attributes=True, undo=self._disown(found))]
        if found.kind:
            raise AerodromeError(f"{self.path} is a {found.kind}, but should be a directory", "move it away")
        if self.owner_makes:
            script = as_user(self.owner, f"mkdir -m {self.mode:04o} {quote(self.path)}")
        else:
            script = make_directory(self.path, self.owner, self.group, self.mode)
        undo = removed(self.path, self.owner if self.owner_makes else "root")
        return [Change(f"make directory {self.path}", script, undo=undo)]

    def _own(self, found: Found) -> str:
        if not self.owner_makes:
            return set_attributes(self.path, self.owner, self.group, self.mode)
        if (found.owner, found.group) != (self.owner, self.group):
            hint = f"chown -h {self.owner}:{self.group} {self.path}"
            raise AerodromeError(f"{self.path} belongs to {found.owner}:{found.group}", hint)
        return as_user(self.owner, f"chmod {self.mode:04o} {quote(self.path)}")

    def _disown(self, found: Found) -> Undo:
        """Return how the directory gets back the owner and mode that it had."""
        name = quote(self.path)
        was, left = (
            f"{owner}|{group}|{mode:o}"
            for owner, group, mode in ((found.owner, found.group, found.mode), (self.owner, self.group, self.mode))
        )
        if self.owner_makes:
            script = as_user(self.owner, f"chmod {found.mode:04o} {name}")
        else:
            script = set_attributes(self.path, found.owner, found.group, found.mode)
        state = f"[ -h {name} ] || [ ! -d {name} ] || stat -c '%U|%G|%a' {name}"
        return Undo(f"give {self.path} back its owner and mode", script, state, was, left)


def removed(path: str, user: str = "root") -> Undo:
    """Return how a directory that was made is removed, by `user`, as long as nothing has been put into it."""
    name = quote(path)
    empty, remove = f"find {name} -maxdepth 0 -type d -empty", f"rmdir {name}"
    if user != "root":
        empty, remove = as_user(user, empty), as_user(user, remove)
    state = f'[ -n "$({empty})" ] && echo empty || echo gone or used'
    return Undo(f"remove directory {path}", remove, state, "gone or used", "empty")
