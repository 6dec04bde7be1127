"""A folder of files that is replaced whole: unpacked beside, then switched in one rename."""

from __future__ import annotations

from collections.abc import Callable

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import refuse_foreign


@dataclass(frozen=True)
class Tree:
    """The folder `path`, a link to `<path>-releases/<digest>`, where `pack()` (a tar.gz) is unpacked.

    It is packed only when it has to be sent. The folder of the release before is kept, for a process that has
    it open and for going back. All of it is root's, and `user` can only read it; what an earlier version of ours
    gave to `user` is emptied as that user.
    """

    path: str
    digest: str
    count: int  # files
    pack: Callable[[], bytes]
    user: str

    @property
    def key(self) -> str:
        return f"tree {self.path}"

    @property
    def releases(self) -> str:
        """The directory of all releases."""
        return f"{self.path}-releases"

    def probe(self) -> str:
        path = quote(self.path)
        # -O (it is root's) is the shell's own: it costs no process.
        return (
            f"[ -e {path} ] || echo none; readlink {path} || {{ [ ! -e {path} ] || echo directory; }}; "
            f"[ ! -O {path} ] || echo root"
        )

    def changes(self, seen: Seen) -> list[Change]:
        release = f"{self.releases}/{self.digest}"
        current, *owned = seen.text.split("\n")
        current = current if current != "root" and current else "none"
        if current == release and "root" in owned:
            return []
        archive = self.pack()
        script = self._script(release, current, len(archive))
        diff = f"-{self.path} -> {current}\n+{self.path} -> {release}"
        return [Change(f"put {self.count} files into {self.path}", script, diff, archive)]

    def _script(self, release: str, current: str, size: int) -> str:
        path, releases = quote(self.path), quote(self.releases)
        aside = f"mv -T {path} {releases}/by-hand-$(date +%s)\n" if current == "directory" else ""
        keep = current.rpartition("/")[2] if current.startswith("/") else "by-hand"
        return (
            f"{refuse_foreign(self.path)}\n"
            # Its own directory is root's, so nobody can put anything in its place: a link there is planted.
            f"[ ! -h {releases} ] || rm -f {releases}\n"
            f"mkdir -p {releases}\n"
            f"chown -h root:root {releases}\n"
            f"chmod 0755 {releases}\n"
            f"{self._remove()}\n"
            f'for old in {releases}/.new-*; do remove "$old"; done\n'
            f"new=$(mktemp -d {releases}/.new-XXXXXX)\n"
            f'head -c {size} <&3 | tar -xzf - -C "$new" --no-same-owner --no-same-permissions || '
            '{ rm -rf "$new"; exit 1; }\n'
            'chmod -R u=rwX,go=rX "$new"\n'
            f"remove {quote(release)}\n"
            f'mv -T "$new" {quote(release)}\n'
            f"{aside}rm -f {quote(self.path + '.new')}\n"
            f"ln -s {quote(release)} {quote(self.path + '.new')}\n"
            f"mv -fT {quote(self.path + '.new')} {path}\n"
            f"for old in {releases}/*; do case ${{old##*/}} in "
            f'{quote(self.digest)}|{quote(keep)}|by-hand*) ;; *) remove "$old" || :;; esac; done'
        )

    def _remove(self) -> str:
        """Return sh that defines `remove PATH`: the entry of a directory of root's, whoever it belongs to.

        Root goes into no folder that another user can change meanwhile: the user empties it, root removes what is left.
        """
        empty = as_user(self.user, 'timeout 60 find "$1" -mindepth 1 -delete')
        return (
            'remove() {\nif [ ! -d "$1" ] || [ -h "$1" ] || [ -O "$1" ]; then rm -rf "$1"; return; fi\n'
            f'{empty} || :\nrmdir "$1"\n}}'
        )
