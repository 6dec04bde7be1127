"""A small file of root's in a folder of root's, which costs a probe one process."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, as_user, quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.directory import Directory
from aerodrome.resources.files import File, read_whole


@dataclass(frozen=True)
class Module:
    """A Python module with this content, and its folder: both root's, and for all to read.

    `user` is whose process imports it. A process of the probe takes 2 to 10 ms: File and Directory would need three.
    """

    path: str
    content: str
    user: str

    @property
    def key(self) -> str:
        return f"file {self.path}"

    @property
    def file(self) -> File:
        """The module as any other file."""
        return File(self.path, self.content, keep=True)

    @property
    def _folder(self) -> str:
        return self.path.rpartition("/")[0]

    def probe(self) -> str:
        path, folder, parent = quote(self.path), quote(self._folder), quote(self._folder.rpartition("/")[0])
        return (
            f"stat -c '%n|%F|%U|%G|%a' {folder} {path} 2>/dev/null\necho\n"
            f"if [ -h {folder} ] || [ -h {path} ] || [ ! -f {path} ]; then :; "
            f"elif [ -O {parent} ] && [ -O {folder} ]; then "
            f"while IFS= read -r line; do printf '%s\\n' \"$line\"; done <{path}\n"
            # The owner of a folder could replace what is read by a link: root reads nothing there.
            f"else {as_user(self.user, read_whole(path))}; fi"
        )

    def changes(self, seen: Seen) -> list[Change]:
        stated, _, content = seen.text.partition("\n\n")
        found = dict(line.split("|", 1) for line in stated.splitlines() if "|" in line)
        folder = Directory(self._folder, "root", "root")
        return [
            *folder.changes(Seen(found.get(self._folder, ""))),
            *self.file.changes(Seen(f"{found[self.path]}\n{content}" if self.path in found else "")),
        ]
