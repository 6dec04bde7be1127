"""Where everything that is printed goes through: secrets hidden, control characters escaped, lost readers noticed."""

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

# Hides every known secret in whatever is printed, should one get there.
redactor = Redactor()
_lock = threading.Lock()
_region: Region | None = None  # lines at the end of the terminal, above which all is printed
_pauses = 0  # of the region
_SUSPECT = re.compile(r"[^\t\n\x20-\x7e]")


class Paint(str):
    """Text of our own that is printed in a colour or bold, where there is a terminal; what it holds is escaped too."""

    code: str

    def __new__(cls, text: str, code: str) -> Paint:
        painted = super().__new__(cls, text)
        painted.code = code
        return painted


class NoOutput(BaseException):
    """Our stdout takes nothing any more: no fault of any host, so no Exception.

    `why` is empty where its reader has gone (`fab logs | head`): then end as other programs do, without a word.
    """

    def __init__(self, why: str = "") -> None:
        super().__init__(why)
        self.why = why
        self.exit_code = 1 if why else 141


def escape(text: str) -> str:
    """Return `text` with everything that a terminal could obey or hide as an escape: \\x1b, \\u202e.

    Printable characters, spaces of any kind, tab and newline pass.
    """
    return _SUSPECT.sub(_escaped, text.replace("\r\n", "\n"))


def escape_json(text: str) -> str:
    """Return a JSON document with the same things escaped as JSON does it, so that it stays one."""
    return _SUSPECT.sub(lambda found: found[0] if escape(found[0]) == found[0] else json.dumps(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return `text` on one line: what comes from a host must not look like a line of ours."""
    return text.replace("\r\n", "\n").replace("\n", "\\n")


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("ascii", "backslashreplace").decode() if letter > "\x7f" else f"\\x{ord(letter):02x}"


def say(*parts: str) -> None:
    """Tell how it goes, on stderr. What cannot be told is no reason to end a change in the middle."""
    try:
        _print(sys.stderr, parts)
    except (OSError, ValueError):
        discard(sys.stderr)


def data(*parts: str) -> None:
    """Print what was asked for, on stdout.

    Raises NoOutput where it cannot be written.
    """
    raw("".join(_painted(part, sys.stdout) for part in parts))


def raw(text: str) -> None:
    """Print on stdout what is fit to be printed already."""
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
    """Tell whether a stream is a terminal; one that is closed is none."""
    return file is not None and not file.closed and file.isatty()


def can_draw() -> bool:
    """Tell whether stderr is a terminal on which lines can be drawn again."""
    return is_terminal(sys.stderr) and os.environ.get("TERM", "") not in ("", "dumb", "unknown")


def _print(file: TextIO, parts: tuple[str, ...]) -> None:
    _write(file, "".join(_painted(part, file) for part in parts))


def _painted(part: str, file: TextIO) -> str:
    text = escape(redactor.hide(part))
    return f"\033[{part.code}m{text}\033[0m" if isinstance(part, Paint) and _colours(file) else text


def _colours(file: TextIO) -> bool:
    """Tell whether a stream is a terminal that has colours, and nobody has said NO_COLOR (no-color.org)."""
    return is_terminal(file) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _write(file: TextIO | None, text: str) -> None:
    if file is None:  # Python's stdout, where the descriptor is closed
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    # A terminal may not have every letter.
    encoding = file.encoding or "utf-8"
    safe = text.encode(encoding, "backslashreplace").decode(encoding)
    # Whole lines under a lock: hosts that work at once would interleave within a line.
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
    """Show a region at the end of the terminal from now on; whatever is printed comes above it."""
    global _region
    with _lock:
        if not _pauses:
            region.start()
        _region = region


def detach(region: Region) -> None:
    """Take the region away, and leave the terminal as if it had never been there."""
    global _region
    with _lock:
        region.stop()
        _region = None


@contextmanager
def paused() -> Iterator[None]:
    """Leave the terminal to something else meanwhile, such as a question."""
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
    """Send what is still in a stream's buffer nowhere: Python would try again at its end, and complain."""
    if file is None:
        return
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, file.fileno())
        os.close(null)
