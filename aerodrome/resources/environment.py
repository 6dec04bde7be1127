"""Environment files as systemd reads them (systemd.exec(5), EnvironmentFile=)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from aerodrome.core.resource import Change, Seen, quote, unified_diff
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import MARK, Found, probe_path, put_back, write_into, write_whole
from aerodrome.secrets import MASK

# A value of these characters alone means the same to systemd with and without quotes.
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


def escape(value: str) -> str:
    """Write a value for an environment file: in double quotes if it needs any.

    Within them a backslash is wanted before `"`, `\\`, `$` and the backtick, and a newline stands for itself.
    """
    if PLAIN.fullmatch(value):
        return value
    return '"' + re.sub(r'(["\\$`])', r"\\\1", value) + '"'


def assignments(text: str) -> list[tuple[str | None, list[str]]]:
    """Part an environment file into (name, lines); the name is None for a comment, empty for what is neither.

    As systemd reads it (src/basic/env-file.c), a quote opens only where a value begins or another quote has just
    closed, and a backslash at the end joins the next line.
    """
    found: list[tuple[str | None, list[str]]] = []
    state, goes_on = "", False
    for line in text.split("\n"):
        name, equals, value = line.partition("=")
        if goes_on:
            found[-1][1].append(line)
            state, goes_on = _value_goes_on(line, state)
        elif line.lstrip().startswith(("#", ";")) or not line.strip():
            found.append((None, [line]))
        else:
            found.append((name.strip() if equals else "", [line]))
            state, goes_on = _value_goes_on(value, "start")
    return found


def _value_goes_on(text: str, state: str) -> tuple[str, bool]:
    """Return the state of a value at the end of its line, and whether the next line belongs to it.

    `state` is `start`, `plain`, or the quote that is open.
    """
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and state != "'":
            escaped, state = True, "plain" if state == "start" else state
        elif state in ("'", '"'):
            state = "start" if char == state else state
        elif state == "start" and char in "'\"":
            state = char
        elif not (state == "start" and char.isspace()):
            state = "plain"
    return state, escaped or state in ("'", '"')


@dataclass(frozen=True)
class CommandsAnswer:
    """Commands of the node that give secrets, asked when they are new, and when the file that names them changes.

    `asked` is the file that remembers which commands have answered, by their `digest`.
    """

    file: str
    asked: str
    digest: str
    script: str  # fails with the reason if one does not answer as it should

    @property
    def key(self) -> str:
        return f"commands {self.file}"

    def probe(self) -> str:
        # They are not asked at every run: a store keeps a record of who asked it.
        return f"cat {quote(self.asked)}"

    def changes(self, seen: Seen) -> list[Change]:
        if f"file {self.file}" not in seen.changing and seen.text.strip() == self.digest:
            return []
        answered = Found("regular file", "root", "root", 0o644, self.digest + "\n")
        before = replace(answered, content=seen.text) if seen.text else Found()
        script = f"{self.script}\n{write_whole(self.asked, answered.content, 'root', 'root', 0o644)}"
        undo = put_back(self.asked, before, answered)
        return [Change("ask the commands that give secrets, as the service user", script, undo=undo)]


@dataclass(frozen=True)
class KeptVariables:
    """The variables of a handwritten environment file, except `ours`, kept in a file of their own.

    Nothing is kept of a file that is ours already. A host's `path` is read by its units before our own file.
    """

    path: str
    found_in: str
    ours: Callable[[str], bool]  # whether hosts.yaml decides about a variable

    @property
    def key(self) -> str:
        return f"file {self.path}"

    def probe(self) -> str:
        """Return sh that prints what `probe_path` does, but nothing, without a process, of a file that is ours."""
        file = quote(self.found_in)
        return (
            f"line=; [ -h {file} ] || [ ! -f {file} ] || IFS= read -r line <{file}\n"
            f"case $line in *{quote(MARK)}*) ;; *) {probe_path(self.found_in)} ;; esac"
        )

    def changes(self, seen: Seen) -> list[Change]:
        file = Found.parse(seen.text, self.found_in)
        if file.kind == "symbolic link":
            raise AerodromeError(
                f"{self.found_in} is a symbolic link, and its variables must not be lost",
                "replace the link with the file itself (cp --remove-destination)",
            )
        found = file.content
        kept = [] if MARK in found else [each for each in assignments(found) if each[0] and not self.ours(each[0])]
        if not kept:
            return []
        names = ", ".join(name or "" for name, _ in kept)
        lines = "".join(f"{line}\n" for _, lines in kept for line in lines)
        text = f"# From {self.found_in}, as it was written by hand; airflow.environment in hosts.yaml can say it.\n"
        # Not in the script: `fab plan --script` shows it, and nobody knows which of these values are secret.
        payload = (text + lines).encode("utf-8", "surrogateescape")
        put = f"{{ cat {quote(self.path)} 2>/dev/null || :; head -c {len(payload)} <&3; }}"
        shown = "\n".join(f"{name}={MASK}" for name, _ in kept)
        summary = f"keep {names} of the hand-written {self.found_in} in {self.path}"
        diff = unified_diff(self.path, "", shown)
        script = write_into(self.path, put, "root", "root", 0o600)
        return [Change(summary, script, diff, payload, undo=self._undo(payload))]

    def _undo(self, payload: bytes) -> Undo:
        """Return how what was added to the end of the file goes again; the probe has not seen what was there."""
        path, size = quote(self.path), len(payload)
        left = hashlib.sha256(payload).hexdigest()
        state = f"tail -c {size} {path} | sha256sum | cut -c -64 | grep -x {left} || echo"
        cut = f"head -c -{size} {path}"
        script = f"{write_into(self.path, cut, 'root', 'root', 0o600)}\n[ -s {path} ] || rm {path}"
        return Undo(f"take the variables of {self.found_in} from {self.path}", script, state, "", left)
