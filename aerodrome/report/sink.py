"""The one place that prints: it hides secrets, escapes control characters and notices when a reader has gone."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from aerodrome.secrets import Redactor

if TYPE_CHECKING:
    from aerodrome.report.region import Region

# Hides every known secret in anything that is printed, in case one gets that far.
redactor = Redactor()
_lock = threading.Lock()
_region: Region | None = None  # lines at the end of the terminal; everything else is printed above them
_pauses = 0  # how many callers have paused the region
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")


class Paint(str):
    """Text of our own to print in colour or bold if on a terminal; its content is escaped like any other."""

    code: str

    def __new__(cls, text: str, code: str) -> Paint:
        painted = super().__new__(cls, text)
        painted.code = code
        return painted


class NoOutput(BaseException):
    """Our stdout accepts nothing any more. No host is at fault, so this is not an Exception.

    `why` is empty if the reader closed the pipe (`fab logs | head`). Then exit silently, as other programs do.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.exit_code = 1 if why else 141


def escape(text: str) -> str:
    """Return `text` with everything that a terminal could interpret or hide replaced by an escape: \\x1b, \\u202e.

    Printable characters, spaces of any kind, tabs and newlines are kept.
    """
    return _SUSPECT.sub(_escaped, text.replace("\r\n", "\n"))


def escape_json(text: str) -> str:
    """Return a JSON document with the same characters escaped as JSON escapes them, so that it stays valid."""
    return _SUSPECT.sub(lambda found: found[0] if escape(found[0]) == found[0] else json.dumps(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return `text` on one line: output of a host must not look like a line of ours."""
    return text.replace("\r\n", "\n").replace("\n", "\\n")


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("ascii", "backslashreplace").decode() if letter > "\x7f" else f"\\x{ord(letter):02x}"


def say(*parts: str) -> None:
    """Report progress on stderr. A message that cannot be written does not interrupt a change."""
    try:
        _print(sys.stderr, parts)
    except (OSError, ValueError):
        discard(sys.stderr)


def data(*parts: str) -> None:
    """Print requested data on stdout.

    Raises NoOutput if it cannot be written.
    """
    raw("".join(_painted(part, sys.stdout) for part in parts))


def raw(text: str) -> None:
    """Print text on stdout that is already escaped."""
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        discard(sys.stdout)
        raise NoOutput from None
    except (OSError, ValueError) as error:
        discard(sys.stdout)
        what = getattr(error, "strerror", None) or str(error)
        raise NoOutput(f"cannot write to stdout: {what}") from None


def is_terminal(file: TextIO | None) -> bool:
    """Tell whether a stream is an open terminal."""
    return file is not None and not file.closed and file.isatty()


def can_draw() -> bool:
    """Tell whether stderr is a terminal that can redraw lines."""
    return is_terminal(sys.stderr) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _print(file: TextIO, parts: tuple[str, ...]) -> None:
    _write(file, "".join(_painted(part, file) for part in parts))


def _painted(part: str, file: TextIO) -> str:
    text = escape(redactor.hide(part))
    return f"\033[{part.code}m{text}\033[0m" if isinstance(part, Paint) and _colours(file) else text


def _colours(file: TextIO) -> bool:
    """Tell whether a stream is a terminal with colours; NO_COLOR turns them off (no-color.org)."""
    return is_terminal(file) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(file: TextIO | None, text: str) -> None:
    if file is None:  # Python's stdout if the descriptor is closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    # The terminal's encoding may lack some characters.
    encoding = file.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    # Whole lines under a lock: otherwise, hosts that work in parallel would interleave within a line.
    with _lock:
        if not _region or _pauses or not is_terminal(file):
            print(safe, file=file, flush=True)
        elif file is sys.stderr:
            _region.above(safe)
        else:
            _region.stop()
            try:
                print(safe, file=file, flush=True)
            finally:
                _region.start()


def attach(region: Region) -> None:
    """Show a region at the end of the terminal from now on; everything else is printed above it."""
    global _region
    with _lock:
        if not _pauses:
            region.start()
        _region = region


def detach(region: Region) -> None:
    """Remove the region and leave no trace of it on the terminal."""
    global _region
    with _lock:
        region.stop()
        _region = None


@contextmanager
def paused() -> Iterator[None]:
    """Hide the region while something else uses the terminal, such as a question."""
    global _pauses
    with _lock:
        _pauses += 1
        if _region:
            _region.stop()
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _region and not _pauses:
                _region.start()


def discard(file: TextIO | None) -> None:
    """Discard what a stream still buffers; otherwise Python tries to write it at exit, and complains."""
    if file is None:
        return
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, file.fileno())
        os.close(null)
