"""Files, directories and links."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen, put_text, quote, unified_diff

# What every file of ours begins with; a file without it was written by somebody else.
MARK = "Written by Aerodrome"

STAT = "stat -c '%F|%U|%G|%a'"  # GNU and busybox; %F is "regular file", "directory", "symbolic link" …


@dataclass(frozen=True)
class Found:
    """A path as a probe saw it; `kind` is empty where there is nothing."""

    kind: str = ""
    owner: str = ""
    group: str = ""
    mode: int = 0
    content: str = ""

    @classmethod
    def parse(cls, text: str) -> Found:
        """Read the output of `probe_path`."""
        head, _, content = text.partition("\n")
        if head.count("|") != 3:
            return cls()
        kind, owner, group, mode = head.split("|")
        return cls("regular file" if kind == "regular empty file" else kind, owner, group, int(mode, 8), content)


def probe_path(path: str) -> str:
    """Return sh that prints kind, owner, group and mode of `path`, then a regular file's content."""
    name = quote(path)
    return f"if [ -h {name} ] || [ -e {name} ]; then {STAT} {name}; [ ! -f {name} ] || cat {name}; fi"


def write_whole(path: str, content: str, owner: str, group: str, mode: int) -> str:
    """Return sh that puts `content` at `path` in one rename: no reader ever sees half a file."""
    return _renamed(path, put_text(content, '"$temporary"'), owner, group, mode)


def write_into(path: str, command: str, owner: str, group: str, mode: int) -> str:
    """Return sh that puts what a command prints at `path` in one rename."""
    return _renamed(path, f'{command} >"$temporary"', owner, group, mode)


def _renamed(path: str, put: str, owner: str, group: str, mode: int) -> str:
    name, temporary = quote(path), '"$temporary"'
    return (
        f"temporary=$(mktemp {name}.XXXXXX)\n"  # 0600 from the start
        f"{put}\n"
        f"chown {quote(owner)}:{quote(group)} {temporary}\n"
        f"chmod {mode:04o} {temporary}\n"
        f"mv -fT {temporary} {name}"
    )


def _set_attributes(path: str, owner: str, group: str, mode: int) -> str:
    return f"chown {quote(owner)}:{quote(group)} {quote(path)}\nchmod {mode:04o} {quote(path)}"


@dataclass(frozen=True)
class File:
    """A file with this content, owner and mode.

    `mask` makes content fit to be shown; `reload` is set for what systemd has to read again; `check` raises
    AerodromeError where content that was found must not be replaced; `keep` puts a file that somebody wrote by
    hand aside, as <path>.by-hand, before it is replaced for the first time.
    """

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    mask: Callable[[str], str] | None = None
    reload: bool = False
    check: Callable[[str], None] | None = None
    keep: bool = False

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text)
        if found.kind == "directory":
            raise AerodromeError(f"{self.path} is a directory, and a file is wanted there", "move it away")
        attributes = (found.owner, found.group, found.mode) == (self.owner, self.group, self.mode)
        if found.kind == "regular file" and found.content == self.content:
            if attributes:
                return []
            script = _set_attributes(self.path, self.owner, self.group, self.mode)
            return [Change(f"own {self.path} {self.owner}:{self.group} {self.mode:04o}", script, attributes=True)]
        if self.check:
            self.check(found.content)
        script = f"mkdir -p {quote(self.path.rpartition('/')[0])}\n"
        if self.keep and found.kind == "regular file" and MARK not in found.content:
            aside = quote(f"{self.path}.by-hand")
            script += f"[ -e {aside} ] || cp -p {quote(self.path)} {aside}\n"
        script += write_whole(self.path, self.content, self.owner, self.group, self.mode)
        if self.reload:
            script += "\nsystemctl daemon-reload"
        return [Change(f"write {self.path}", script, self._diff(found))]

    def _diff(self, found: Found) -> str:
        if self.mask is None:
            return unified_diff(self.path, found.content, self.content)
        # Masked as a whole: a value may go over several lines. Two values that differ must not then look the same.
        wanted = set(self.content.split("\n"))
        pairs = zip(found.content.split("\n"), self.mask(found.content).split("\n"), strict=True)
        old = [shown + ("" if line in wanted or shown == line else " (differs)") for line, shown in pairs]
        return unified_diff(self.path, "\n".join(old), self.mask(self.content))


@dataclass(frozen=True)
class Absent:
    """No file at this path: what an earlier hosts.yaml had there."""

    path: str

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return f"[ ! -e {quote(self.path)} ] || echo there"

    def changes(self, seen: Seen) -> list[Change]:
        return [Change(f"remove {self.path}", f"rm -f {quote(self.path)}")] if seen.text.strip() else []


@dataclass(frozen=True)
class Block:
    """Lines between two markers in a file that belongs to others; what is outside them is left as it is.

    `first` puts a new block at the file's beginning (pg_hba.conf: the first match wins).
    """

    path: str
    lines: tuple[str, ...]
    first: bool = False
    name: str = "aerodrome"

    @property
    def key(self) -> str:
        return f"block {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text)
        if found.kind not in ("", "regular file"):
            raise AerodromeError(f"{self.path} is a {found.kind}, and a file is wanted there", "move it away")
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
                f"{{ echo {quote(f'{self.path} was changed by somebody else meanwhile: run again')}; exit 1; }}\n"
            ) + write_whole(self.path, content, found.owner, found.group, found.mode)
        return [Change(f"update the block in {self.path}", script, diff)]

    def placed_in(self, content: str) -> str:
        """Return `content` with the block in its place.

        Raises AerodromeError where only one of the two markers is there.
        """
        begin, end = f"# BEGIN {self.name}", f"# END {self.name}"
        block = [begin, *self.lines, end]
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


@dataclass(frozen=True)
class Line:
    """One line in a file; it takes the place of lines that start with `replaces`, or else comes last."""

    path: str
    line: str
    replaces: str
    owner: str

    @property
    def key(self) -> str:
        return f"line {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text)
        present = found.content.removesuffix("\n").split("\n") if found.content else []
        lines = [line for line in present if not line.startswith(self.replaces)]
        if self.line in present and len(lines) + 1 == len(present):
            return []
        summary = f"add “{self.line}” to {self.path}"
        if f"user {self.owner}" in seen.changing:
            # With a home comes what /etc/skel has (useradd -m): that is read first, and kept.
            return [Change(summary, "")]
        content = "\n".join([*lines, self.line]) + "\n"
        script = write_whole(self.path, content, self.owner, self.owner, found.mode or 0o644)
        diff = unified_diff(self.path, found.content, content)
        return [Change(summary, script, diff)]


@dataclass(frozen=True)
class Directory:
    """A directory with this owner and mode."""

    path: str
    owner: str
    group: str
    mode: int = 0o755

    @property
    def key(self) -> str:
        return f"directory {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text)
        if found.kind == "directory":
            if (found.owner, found.group, found.mode) == (self.owner, self.group, self.mode):
                return []
            script = _set_attributes(self.path, self.owner, self.group, self.mode)
            return [Change(f"own {self.path} {self.owner}:{self.group} {self.mode:04o}", script)]
        if found.kind:
            raise AerodromeError(f"{self.path} is a {found.kind}, and a directory is wanted there", "move it away")
        script = f"install -d -o {quote(self.owner)} -g {quote(self.group)} -m {self.mode:04o} {quote(self.path)}"
        return [Change(f"make directory {self.path}", script)]
