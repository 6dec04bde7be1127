"""A folder of files that is replaced whole: unpacked beside, then switched in one rename."""

from __future__ import annotations

from collections.abc import Callable

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.files import refuse_foreign
from aerodrome.resources.release import BY_HAND, KEEP, Releases, remover


@dataclass(frozen=True)
class Tree:
    """The folder `path`, a link to `<path>-releases/<digest>`, where `pack()` (a tar.gz) is unpacked.

    It is packed only when it has to be sent. All of it is root's, and `user` can only read it; what an earlier version
    of ours gave to `user` is emptied as that user.
    """

    path: str
    digest: str
    count: int  # files
    pack: Callable[[], bytes]
    user: str
    keep: int = KEEP

    @property
    def key(self) -> str:
        return f"tree {self.path}"

    @property
    def releases(self) -> Releases:
        return tree_releases(self.path, self.keep)

    def probe(self) -> str:
        path = quote(self.path)
        # -O (it is root's) is the shell's own: it costs no process.
        return (
            f"[ -e {path} ] || echo none; readlink {path} || {{ [ ! -e {path} ] || echo directory; }}; "
            f"[ ! -O {path} ] || echo root\n{self.releases.probe([self.digest])}"
        )

    def in_use(self, seen: Seen) -> tuple[str, str]:
        """Return where the link leads, and the name of the release that is wanted."""
        return seen.text.partition("\n")[0], self.digest

    def changes(self, seen: Seen) -> list[Change]:
        release = self.releases.path(self.digest)
        current, *owned = seen.text.split("\n")
        current = current if current != "root" and current else "none"
        if current == release and "root" in owned:
            return []
        archive = self.pack()
        script = self._script(release, current, len(archive))
        diff = f"-{self.path} -> {current}\n+{self.path} -> {release}"
        undo = self.releases.back(self.digest, current)
        return [Change(f"put {self.count} files into {self.path}", script, diff, archive, undo=undo)]

    def _script(self, release: str, current: str, size: int) -> str:
        path, releases = quote(self.path), quote(self.releases.folder)
        aside = f"mv -T {path} {releases}/{BY_HAND}-$(date +%s)\n" if current == "directory" else ""
        keep = current.rpartition("/")[2] if current.startswith("/") else BY_HAND
        return (
            f"{refuse_foreign(self.path)}\n"
            # Its own directory is root's, so nobody can put anything in its place: a link there is planted.
            f"[ ! -h {releases} ] || rm -f {releases}\n"
            f"mkdir -p {releases}\n"
            f"chown -h root:root {releases}\n"
            f"chmod 0755 {releases}\n"
            f"{remover(self.user)}\n"
            f'for old in {releases}/.new-*; do remove "$old"; done\n'
            f"new=$(mktemp -d {releases}/.new-XXXXXX)\n"
            f'head -c {size} <&3 | tar -xzf - -C "$new" --no-same-owner --no-same-permissions || '
            '{ rm -rf "$new"; exit 1; }\n'
            'chmod -R u=rwX,go=rX "$new"\n'
            f"remove {quote(release)}\n"
            f'mv -T "$new" {quote(release)}\n'
            f"{aside}{self.releases.switch(self.digest)}\n"
            # What is not root's was left by an earlier version; the rest is for Pruned.
            f"for old in {releases}/*; do case ${{old##*/}} in "
            f"{quote(self.digest)}|{quote(keep)}|{BY_HAND}*) continue;; *.new) ;; "
            '*) [ -h "$old" ] || [ ! -O "$old" ] || continue;; esac; remove "$old" || :; done'
        )


def tree_releases(path: str, keep: int = KEEP) -> Releases:
    """Return the releases of the folder `path`."""
    return Releases("release", path, f"{path}-releases", keep)
