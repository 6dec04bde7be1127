"""Files, directories and links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from aerodrome.core.resource import Change, Seen, put_text, quote, unified_diff
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.reading import LIMIT, read_whole
from aerodrome.resources.together import Together

# The beginning of every managed file; a file without it was written by hand.
MARK = "Written by Aerodrome"
BY_HAND = ".by-hand"  # the end of the name of a file that is put aside

STAT = "stat -c '%F|%U|%G|%a'"  # GNU and busybox; %F is "regular file", "directory", "symbolic link" …


@dataclass(frozen=True)
class Found:
    """A path as a probe saw it; `kind` is empty if nothing is there."""

    kind: str = ""
    owner: str = ""
    group: str = ""
    mode: int = 0
    content: str = ""

    @classmethod
    def parse(cls, text: str, path: str = "a file") -> Found:
        """Read what `probe_path` printed about `path`.

        Raises AerodromeError if it is not what `probe_path` prints, or if the file is too large to be read whole.
        """
        if not text.strip():
            return cls()
        head, _, content = text.partition("\n")
        found = re.fullmatch(r"([a-z ]+)\|([^|]+)\|([^|]+)\|([0-7]{1,5})", head)
        if not found:
            raise AerodromeError(f"{path}: the host's answer is not the output of stat: {head[:80]!r}")
        if len(content.encode("utf-8", "surrogateescape")) >= LIMIT:
            raise AerodromeError(f"{path} is larger than {LIMIT >> 20} MiB", "move it away")
        kind, owner, group, mode = found.groups()
        return cls("regular file" if kind == "regular empty file" else kind, owner, group, int(mode, 8), content)


def probe_path(path: str) -> str:
    """Return sh that prints kind, owner, group and mode of `path`, then the first LIMIT bytes of a regular file.

    No link is followed, not even one that takes the file's place in between (O_NOFOLLOW), and a pipe is not waited for.
    """
    name = quote(path)
    read = f"[ -h {name} ] || [ ! -f {name} ] || {read_whole(name)}"
    return f"if [ -h {name} ] || [ -e {name} ]; then {STAT} {name}; {read}; fi"


def probe_kind(path: str) -> str:
    """Return sh that prints kind, owner, group and mode of `path` alone."""
    name = quote(path)
    return f"[ ! -h {name} ] && [ ! -e {name} ] || {STAT} {name}"


def write_whole(path: str, content: str, owner: str, group: str, mode: int) -> str:
    """Return sh that puts `content` at `path` in one rename: no reader ever sees half a file."""
    return _renamed(path, put_text(content, '"$temporary"'), owner, group, mode)


def write_into(path: str, command: str, owner: str, group: str, mode: int, expected: str = "") -> str:
    """Return sh that puts what a command prints at `path` in one rename; it fails if its digest is not `expected`."""
    put = f'{command} >"$temporary"'
    if expected:
        words = f"{path}: its secrets are not as that run left them: fab deploy writes it as hosts.yaml says"
        put += f'\n[ "$(sha256sum <"$temporary" | cut -c -64)" = {expected} ] || {{ echo {quote(words)}; exit 1; }}'
    return _renamed(path, put, owner, group, mode)


def _renamed(path: str, put: str, owner: str, group: str, mode: int) -> str:
    name, temporary = quote(path), '"$temporary"'
    return (
        "(\n"
        f"{refuse_foreign(path)}\n"
        f"temporary=$(mktemp {name}.XXXXXX)\n"  # 0600 from the start
        "trap 'rm -f \"$temporary\"' EXIT\n"
        f"{put}\n"
        f"chown {quote(owner)}:{quote(group)} {temporary}\n"
        f"chmod {mode:04o} {temporary}\n"
        f"mv -fT {temporary} {name}\n"
        ")"
    )


def refuse_foreign(path: str) -> str:
    """Return sh that fails unless the directory of `path` belongs to whoever runs it, which is root.

    The owner of a directory can replace what is in it at any moment, also between two commands (`-O` is the shell's
    own: it costs no process).
    """
    folder = path.rpartition("/")[0] or "/"
    words = f"{folder} does not belong to root: its owner could replace files that root writes"
    return f"[ -O {quote(folder)} ] || {{ echo {quote(words)}; exit 1; }}"


def set_attributes(path: str, owner: str, group: str, mode: int) -> str:
    """Return sh that sets owner and mode of what is at `path`, and is not a link."""
    name = quote(path)
    return f"{refuse_foreign(path)}\nchown -h {quote(owner)}:{quote(group)} {name}\nchmod {mode:04o} {name}"


def make_directory(path: str, owner: str, group: str, mode: int) -> str:
    """Return sh that makes a directory where nothing is yet; its parents are made as root's."""
    parent = quote(path.rpartition("/")[0] or "/")
    return (
        f"mkdir -p {parent}\n{refuse_foreign(path)}\n"
        f"install -d -o {quote(owner)} -g {quote(group)} -m {mode:04o} {quote(path)}"
    )


def put_aside(path: str, aside: str) -> str:
    """Return sh that gives a file, or a link as a link, a second name where nothing is yet.

    A copy would read it, and so wait forever for what has become a pipe since it was probed.
    """
    return f"[ -e {quote(aside)} ] || [ -h {quote(aside)} ] || ln -P {quote(path)} {quote(aside)}"


def state_of(path: str) -> str:
    """Return sh that prints, in one line, what is at `path`, with the digest of a file; no link is followed."""
    name = quote(path)
    return (
        f"if [ -h {name} ]; then echo link; elif [ -f {name} ]; then\n"
        f"echo \"file $(stat -c '%U|%G|%a' {name}) $({read_whole(name)} | sha256sum | cut -c -64)\"\n"
        f"elif [ -e {name} ]; then echo other; else echo nothing; fi"
    )


def was(found: Found) -> str:
    """Return the output of `state_of` for the path as it was found."""
    if not found.kind:
        return "nothing"
    return f"file {found.owner}|{found.group}|{found.mode:o} {digest(found.content)}"


def digest(content: str) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content.encode("utf-8", "surrogateescape")).hexdigest()


def put_back(
    path: str, found: Found, left: Found, then: str = "", secret: Callable[[str], str] | None = None
) -> Undo | None:
    """Return how a path becomes what was found there, and what is done `then`; None for what was not seen whole.

    `left` is what the change makes of it. `secret` masks the secrets in a content: none is kept. Those that `left` has
    too are taken from there; if it lacks one, there is no way back.
    """
    if found.kind not in ("", "regular file") or "UNKNOWN" in (found.owner, found.group):
        return None
    then = f"\n{then}" if then else ""
    if not found.kind:
        script = f"{refuse_foreign(path)}\nrm -f {quote(path)}{then}"
        return Undo(f"remove {path}", script, state_of(path), was(found), was(left))
    parts = _without_secrets(found.content, left.content, secret)
    if parts is None:
        return None
    payload = "".join(part for part in parts if isinstance(part, str)).encode("utf-8", "surrogateescape")
    put, expected = f"head -c {len(payload)} <&3", ""
    if any(isinstance(part, int) for part in parts):
        put, expected = f"{{ {'; '.join(_part(path, part) for part in parts)}; }}", digest(found.content)
    script = write_into(path, put, found.owner, found.group, found.mode, expected) + then
    return Undo(f"put back {path}", script, state_of(path), was(found), was(left), payload)


def _without_secrets(content: str, left: str, secret: Callable[[str], str] | None) -> list[str | int] | None:
    """Return a content in parts: text without secrets, and numbers of lines of `left`; None if it lacks a secret."""
    shown = _lines(secret(content) if secret else content)
    there = {line: number for number, line in reversed(list(enumerate(_lines(left), 1)))}
    parts: list[str | int] = []
    for line, masked in zip(_lines(content), shown, strict=True):
        if line != masked and line not in there:
            return None
        if line != masked:
            parts.append(there[line])
        elif parts and isinstance(last := parts[-1], str):
            parts[-1] = last + line
        else:
            parts.append(line)
    return [part for part in parts if part]


def _lines(text: str) -> list[str]:
    """Return the lines of a text with their ends."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), last]


def _part(path: str, part: str | int) -> str:
    if isinstance(part, int):
        return f"sed -n '{part}p' {quote(path)}"
    return f"head -c {len(part.encode('utf-8', 'surrogateescape'))} <&3"


@dataclass(frozen=True)
class File:
    """A file with this content, owner and mode.

    `mask` hides the secrets in content before it is shown, `secret` those that no undo may keep, if they are not the
    same; `reload` is set for what systemd has to read again; `check` raises AerodromeError where content that was found
    must not be replaced; `keep` puts a file that somebody wrote by hand aside, as <path>.by-hand and for root alone,
    before it is replaced for the first time. `beside` has all files of the host, this one among them, which are asked
    for at once.
    """

    path: str
    content: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    mask: Callable[[str], str] | None = None
    secret: Callable[[str], str] | None = None
    reload: bool = False
    check: Callable[[str], None] | None = None
    keep: bool = False
    beside: Together | None = None

    @property
    def key(self) -> str:
        return f"file {self.path}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the content."""
        return digest(self.content)

    @property
    def _wanted(self) -> Found:
        return Found("regular file", self.owner, self.group, self.mode, self.content)

    def probe(self) -> str:
        return self.beside.probe if self.beside else probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        text = self.beside.own(self.path, seen.text, self.content) if self.beside else seen.text
        found = Found.parse(text, self.path)
        if found.kind == "directory":
            raise AerodromeError(f"{self.path} is a directory, but should be a file", "move it away")
        if found.kind == "regular file" and found.content == self.content:
            return self._own(found)
        if self.check:
            if found.kind == "symbolic link":
                raise AerodromeError(
                    f"{self.path} is a symbolic link, and what it points to must not be lost",
                    "replace the link with the file itself (cp --remove-destination)",
                )
            self.check(found.content)
        script = f"mkdir -p {quote(self.path.rpartition('/')[0])}\n"
        aside = f"{self.path}{BY_HAND}" if self.keep and found.kind and MARK not in found.content else ""
        if aside:
            script += f"{put_aside(self.path, aside)}\n"
        script += write_whole(self.path, self.content, self.owner, self.group, self.mode)
        if aside:  # not before: until then it is the same file
            script += f"\n[ -h {quote(aside)} ] || {{ {set_attributes(aside, self.owner, self.group, 0o600)}\n}}"
        reload = "systemctl daemon-reload" if self.reload else ""
        script += f"\n{reload}" if reload else ""
        undo = self._put_back(found, reload)
        return [Change(f"write {self.path}", script, self._diff(found), undo=undo)]

    def _own(self, found: Found) -> list[Change]:
        """Return the change that gives a file with the right content the right owner and mode."""
        if (found.owner, found.group, found.mode) == (self.owner, self.group, self.mode):
            return []
        if found.owner == self.owner:
            script = set_attributes(self.path, self.owner, self.group, self.mode)
        else:  # whoever owned it may have it open for writing: it becomes another file
            script = write_whole(self.path, self.content, self.owner, self.group, self.mode)
        summary = f"own {self.path} {self.owner}:{self.group} {self.mode:04o}"
        return [Change(summary, script, attributes=True, undo=self._put_back(found))]

    def _put_back(self, found: Found, then: str = "") -> Undo | None:
        return put_back(self.path, found, self._wanted, then, self.secret or self.mask)

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
    """No file at this path: an earlier hosts.yaml had one there. `secret` is as in a File."""

    path: str
    secret: Callable[[str], str] | None = None

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        return probe_path(self.path)

    def changes(self, seen: Seen) -> list[Change]:
        found = Found.parse(seen.text, self.path)
        if not found.kind:
            return []
        undo = put_back(self.path, found, Found(), secret=self.secret)
        return [Change(f"remove {self.path}", f"rm -f {quote(self.path)}", undo=undo)]
