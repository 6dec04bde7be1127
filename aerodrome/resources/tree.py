"""A folder of files that is replaced whole: unpacked beside, then switched in one rename."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aerodrome.resources.base import Change, Seen, quote


@dataclass(frozen=True)
class Tree:
    """The folder `path`, a link to `<path>-releases/<digest>`, where `pack()` (a tar.gz) is unpacked.

    It is packed only when it has to be sent. The folder of the release before is kept, for a process that has
    it open and for going back.
    """

    path: str
    digest: str
    count: int  # files
    pack: Callable[[], bytes]
    user: str

    @property
    def key(self) -> str:
        return f"tree {self.path}"

    def probe(self) -> str:
        path = quote(self.path)
        return f"[ -e {path} ] || echo none; readlink {path} || {{ [ ! -e {path} ] || echo directory; }}"

    def changes(self, seen: Seen) -> list[Change]:
        release = f"{self.path}-releases/{self.digest}"
        current = seen.text.split("\n")[0] or "none"
        if current == release:
            return []
        archive = self.pack()
        script = self._script(release, current, len(archive))
        diff = f"-{self.path} -> {current}\n+{self.path} -> {release}"
        return [Change(f"put {self.count} files into {self.path}", script, diff, archive)]

    def _script(self, release: str, current: str, size: int) -> str:
        user, path, new = quote(self.user), quote(self.path), quote(release + ".new")
        aside = f"mv -T {path} {quote(self.path + '-releases')}/by-hand-$(date +%s)\n" if current == "directory" else ""
        keep = current.rpartition("/")[2] if current.startswith("/") else "by-hand"
        return (
            f"install -d -o {user} -g {user} -m 0755 {quote(self.path + '-releases')}\n"
            f"rm -rf {new}\n"
            f"mkdir {new}\n"
            f"head -c {size} <&3 | tar -xzf - -C {new} --no-same-owner\n"
            f"chown -R {user}:{user} {new}\n"
            f"rm -rf {quote(release)}\n"
            f"mv -T {new} {quote(release)}\n"
            f"{aside}ln -sfn {quote(release)} {quote(self.path + '.new')}\n"
            f"chown -h {user}:{user} {quote(self.path + '.new')}\n"
            f"mv -fT {quote(self.path + '.new')} {path}\n"
            f"for old in {quote(self.path + '-releases')}/*; do case ${{old##*/}} in "
            f'{quote(self.digest)}|{quote(keep)}|by-hand*) ;; *) rm -rf "$old";; esac; done'
        )
