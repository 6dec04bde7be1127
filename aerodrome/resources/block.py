"""Lines of ours in a file that belongs to others."""

from __future__ import annotations

import hashlib

from aerodrome.core.resource import Change, Seen, as_user, heredoc, quote, unified_diff
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import Found, digest, probe_path, read_whole, write_into, write_whole

THERE, MOST_LINES = "in-place", 500  # what a probe says of a block, and how far it looks for it


@dataclass(frozen=True)
class Block:
    """Lines between two markers in a file that belongs to others; what is outside them is left as it is.

    `first` puts a new block at the file's beginning (pg_hba.conf: the first match wins). A file in a directory of
    another `user` than root is written by that user.
    """

    path: str
    lines: tuple[str, ...]
    first: bool = False
    name: str = "aerodrome"
    user: str = "root"
    reload: str = ""  # sh that has others read the file again

    @property
    def key(self) -> str:
        return f"block {self.path}"

    @property
    def _block(self) -> list[str]:
        return [f"# BEGIN {self.name}", *self.lines, f"# END {self.name}"]

    def probe(self) -> str:
        """Return sh that prints one word, without a process, if the block is as it should be; else as `probe_path`."""
        path, block = quote(self.path), "\n".join(self._block)
        begin, end = quote(self._block[0]), quote(self._block[-1])
        return (
            "n='\n' lines=0 block=\n"
            f"[ -h {path} ] || [ ! -f {path} ] || while [ $lines -lt {MOST_LINES} ] && IFS= read -r line; do\n"
            f"lines=$((lines + 1)); case $block$line in {begin}*) block=$block$line$n ;; esac\n"
            f'[ -z "$block" ] || [ "$line" != {end} ] || break; done <{path}\n'
            f'if [ "$block" = {quote(block)}"$n" ]; then echo {THERE}; else\n{probe_path(self.path)}\nfi'
        )

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.strip() == THERE:
            return []
        found = Found.parse(seen.text, self.path)
        if found.kind not in ("", "regular file"):
            raise AerodromeError(f"{self.path} is a {found.kind}, but should be a file", "move it away")
        content = self.placed_in(found.content)
        if content == found.content:
            return []
        diff = unified_diff(self.path, found.content, content)
        if not found.kind:
            script = write_whole(self.path, content, "root", "root", 0o644)
        else:
            digest = hashlib.sha256(found.content.encode("utf-8", "surrogateescape")).hexdigest()
            script = (
                # Somebody may have edited it since it was read: their lines must not be lost.
                f"[ \"$(sha256sum <{quote(self.path)})\" = '{digest}  -' ] || "
                f"{{ echo {quote(f'{self.path} has been changed in the meantime: run again')}; exit 1; }}\n"
            ) + write_whole(self.path, content, found.owner, found.group, found.mode)
        summary = f"update the block in {self.path}"
        return [Change(summary, self._as_user(script), diff, undo=self._undo(found))]

    def _as_user(self, script: str) -> str:
        script = script if self.user == "root" else f"{as_user(self.user, 'sh -eu')} {heredoc(script + chr(10))}"
        return f"{script}\n{self.reload}" if self.reload else script

    def _undo(self, found: Found) -> Undo:
        """Return how the block becomes what it was, or goes: others may have edited their lines since."""
        path, (begin, *_, end) = quote(self.path), (f"/^{line}$/" for line in self._block)
        lines = found.content.split("\n")
        there = self._block[0] in lines
        old = lines[lines.index(self._block[0]) : lines.index(self._block[-1]) + 1] if there else []
        before = f"cat {heredoc(''.join(f'{line}{chr(10)}' for line in old))}\n" if old else ""
        put = (
            f"{{\nsed {quote(f'{begin},$d')} {path}\n{before}"
            f'[ -z "$(sed -n {quote(f"{begin}p")} {path})" ] || sed {quote(f"1,{end}d")} {path}\n}}'
        )
        if found.kind:
            script = write_into(self.path, put, found.owner, found.group, found.mode)
        else:
            script = write_into(self.path, put, "root", "root", 0o644) + f"\n[ -s {path} ] || rm {path}"
        state = (
            f"{{ [ -h {path} ] || [ ! -f {path} ] || {read_whole(path)} | sed -n {quote(f'{begin},{end}p')}; }} | "
            "sha256sum | cut -c -64"
        )
        was, left = (digest("".join(f"{line}\n" for line in block)) for block in (old, self._block))
        what = f"put back the block in {self.path}" if old else f"remove the block from {self.path}"
        return Undo(what, self._as_user(script), state, was, left)

    def placed_in(self, content: str) -> str:
        """Return `content` with the block in its place.

        Raises AerodromeError if only one of the two markers is there.
        """
        block = self._block
        begin, end = block[0], block[-1]
        # Not splitlines(): what it takes for the end of a line (form feed, U+2028) would be lost.
        lines = content.removesuffix("\n").split("\n") if content else []
        if begin in lines and end in lines[lines.index(begin) :]:
            start = lines.index(begin)
            stop = lines.index(end, start) + 1
            lines[start:stop] = block
        elif begin in lines or end in lines:
            raise AerodromeError(
                f"{self.path} has only one of the markers “{begin}” and “{end}”",
                "remove the leftover marker by hand, and check the lines around it",
            )
        else:
            lines = block + lines if self.first else lines + block
        # A last line of others that has no newline gets none.
        unended = content and not content.endswith("\n") and lines[-1] != end
        return "\n".join(lines) + ("" if unended else "\n")
