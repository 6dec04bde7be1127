"""The directory that a service runs in, of which only a part is its own, and files that it expects there."""

from __future__ import annotations

from pathlib import PurePosixPath

from aerodrome.core.resource import Change, Seen, quote, unified_diff
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.directory import removed
from aerodrome.resources.files import Found, put_back, refuse_foreign, write_whole


@dataclass(frozen=True)
class ServiceHome:
    """A directory of root's that a service runs in: the service's user may write to the `writable` ones in it only.

    The `closed` ones, if they are there, become root's and stay readable. Only the directories themselves change owner,
    from the outside in: once a directory is root's, the service's user can no longer replace anything in it by a link.
    A link is left alone.
    """

    path: str
    user: str
    writable: tuple[str, ...] = ("logs",)
    closed: tuple[str, ...] = ("plugins",)

    @property
    def key(self) -> str:
        return f"directory {self.path}"

    def probe(self) -> str:
        parents = [str(parent) for parent in reversed(PurePosixPath(self.path).parents[:-1])]
        entries = [f"{self.path}/{name}" for name in (*self.writable, *self.closed)]
        return f"stat -c '%n|%F|%U|%G|%a' {' '.join(quote(each) for each in (*parents, self.path, *entries))}"

    def changes(self, seen: Seen) -> list[Change]:
        found = self._found(seen.text)
        self._check_parents(found)
        home = found.get(self.path, Found())
        changes = self._take(home)
        for name in self.writable:
            changes += self._give(found.get(f"{self.path}/{name}", Found()), f"{self.path}/{name}")
        for name in self.closed:
            changes += self._close(found.get(f"{self.path}/{name}", Found()), f"{self.path}/{name}")
        return changes

    def _found(self, text: str) -> dict[str, Found]:
        lines = [line.partition("|") for line in text.splitlines() if line]
        return {path: Found.parse(rest or "nothing", path) for path, _, rest in lines}

    def _check_parents(self, found: dict[str, Found]) -> None:
        """Raise AerodromeError if anybody other than root could replace the directory as a whole."""
        for path in map(str, PurePosixPath(self.path).parents[:-1]):
            parent = found.get(path, Found(owner="root"))
            by_group = parent.group == self.user and parent.mode & 0o020
            writable = parent.kind != "symbolic link" and (parent.mode & 0o002 or by_group)
            if parent.owner != "root" or writable:
                raise AerodromeError(
                    f"{self.path} is in {path}, which users other than root can write to",
                    "set airflow.home to a directory whose parents all belong to root",
                )

    def _take(self, home: Found) -> list[Change]:
        path = quote(self.path)
        if not home.kind:
            make = f"install -d -o root -g root -m 0755 {path}"
            return [Change(f"make directory {self.path}", make, undo=removed(self.path))]
        if home.kind != "directory":
            raise AerodromeError(f"{self.path} is a {home.kind}, but should be a directory", "move it away")
        if (home.owner, home.group, home.mode) == ("root", "root", 0o755):
            return []
        summary = f"take {self.path} from {home.owner}: only {', '.join(self.writable)} in it stays {self.user}'s"
        # The mode also caps what an access control list of the former owner still grants (acl(5), the mask).
        return [Change(summary, f"chown -h root:root {path}\nchmod 0755 {path}")]

    def _give(self, found: Found, path: str) -> list[Change]:
        name, user = quote(path), quote(self.user)
        if found.kind == "symbolic link" or (found.kind == "directory" and found.owner == self.user):
            return []
        if not found.kind:
            make = f"install -d -o {user} -g {user} -m 0750 {name}"
            return [Change(f"make directory {path}", f"[ -h {name} ] || [ -e {name} ] || {make}", undo=removed(path))]
        if found.kind != "directory":
            raise AerodromeError(f"{path} is a {found.kind}, but should be a directory", "move it away")
        return [Change(f"own {path} {self.user}:{self.user}", _if_directory(path, f"chown -h {user}:{user} {name}"))]

    def _close(self, found: Found, path: str) -> list[Change]:
        name = quote(path)
        if found.kind != "directory" or found.owner == "root":
            return []
        script = _if_directory(path, f"chown -h root:{quote(self.user)} {name}\nchmod u=rwx,g=rx,o-w {name}")
        return [Change(f"take {path} from {found.owner}", script)]


def _if_directory(path: str, script: str) -> str:
    """Return sh that runs `script` unless `path` has become something else since it was probed."""
    return f"if [ ! -h {quote(path)} ] && [ -d {quote(path)} ]; then\n{script}\nfi"


@dataclass(frozen=True)
class Default:
    """A file that a service would write for itself, in a directory of root's: the service's group may read it.

    An existing one keeps its content; if the service's user wrote it, it becomes root's. A link is left alone.
    """

    path: str
    content: str
    user: str

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return (
            f"[ ! -h {quote(self.path)} ] && [ ! -e {quote(self.path)} ] || stat -c '%F|%U|%G|%a|%h' {quote(self.path)}"
        )

    def changes(self, seen: Seen) -> list[Change]:
        head, _, links = seen.text.strip().rpartition("|")
        found = Found.parse(head, self.path)
        if not found.kind:
            script = write_whole(self.path, self.content, "root", self.user, 0o640)
            undo = put_back(self.path, Found(), Found("regular file", "root", self.user, 0o640, self.content))
            return [Change(f"write {self.path}", script, unified_diff(self.path, "", self.content), undo=undo)]
        if found.kind not in ("regular file", "symbolic link"):
            raise AerodromeError(f"{self.path} is a {found.kind}, but should be a file", "move it away")
        # A file with a second name may be one of those that nobody but its owner should read: it stays as it is.
        if found.kind == "symbolic link" or found.owner != self.user or links != "1":
            return []
        name = quote(self.path)
        script = (
            f"{refuse_foreign(self.path)}\n"
            # Asked again, because it may have been another file until its directory became root's.
            f"if [ ! -h {name} ] && [ -f {name} ] && "
            f"[ \"$(stat -c '%U %h' {name})\" = {quote(f'{self.user} 1')} ]; then\n"
            f"chown -h root:{quote(self.user)} {name}\nchmod 0640 {name}\nfi"
        )
        return [Change(f"own {self.path} root:{self.user} 0640", script, attributes=True)]
