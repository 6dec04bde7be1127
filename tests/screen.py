"""A minimal terminal emulator, and programs that run on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

_PARTS = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b\][^\x07]*\x07|(.)", re.DOTALL)


class Screen:
    """The content of a terminal of `width` times `height` characters, and everything that has scrolled off the top."""

    def __init__(self, width: int = 80, height: int = 24) -> None:
        self.width, self.height = width, height
        self.raw = ""
        self.cursor = True  # visible
        self._rows = [""]
        self._row = self._column = 0
        self._pending = ""

    @property
    def lines(self) -> list[str]:
        """All lines from the first one printed, without empty ones at the end."""
        found = [row.rstrip() for row in self._rows]
        while found and not found[-1]:
            found.pop()
        return found

    def write(self, text: str) -> None:
        self.raw += text
        text = self._pending + text
        cut = re.search(r"\x1b(\[[\d;?]*)?\Z", text)
        self._pending = cut[0] if cut else ""
        for part in _PARTS.finditer(text[: cut.start()] if cut else text):
            if part[3]:
                self._letter(part[3])
            elif part[2]:
                self._control(part[1], part[2])

    def _letter(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._down()
        else:
            if self._column == self.width:
                self._column = 0
                self._down()
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[: self._column] + letter + row[self._column + 1 :]
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._rows):
            self._rows.append("")

    def _control(self, given: str, what: str) -> None:
        if what == "A":
            top = max(len(self._rows) - self.height, 0)
            self._row = max(self._row - int(given or 1), top)
        elif what == "K":
            assert given == "2"
            self._rows[self._row] = ""
        elif what in "hl" and given == "?25":
            self.cursor = what == "h"
        else:
            assert what == "m", f"{given}{what} is not known here"


class Terminal:
    """A program on its own terminal."""

    def __init__(
        self, argv: list[str], cwd: Path, environment: Mapping[str, str], width: int = 80, height: int = 24
    ) -> None:
        self.screen = Screen(width, height)
        self.pid, self._descriptor = pty.fork()
        if not self.pid:
            os.chdir(cwd)
            time.sleep(0.2)  # until the terminal has its size
            os.execve(argv[0], argv, {**environment})
        self.resize(width, height)
        self.code: int | None = None

    def resize(self, width: int, height: int) -> None:
        self.screen.width, self.screen.height = width, height
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    @property
    def echo(self) -> bool:
        return bool(termios.tcgetattr(self._descriptor)[3] & termios.ECHO)

    def until(self, seen: Callable[[Screen], object], seconds: float = 60) -> None:
        """Read until the screen shows something."""
        deadline = time.monotonic() + seconds
        while not seen(self.screen):
            assert time.monotonic() < deadline, self.screen.raw
            assert self._read(), self.screen.raw

    def end(self, seconds: float = 60) -> int:
        """Read to the end of the program, and return its exit code."""
        deadline = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < deadline, self.screen.raw
        _, status = os.waitpid(self.pid, 0)
        self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def close(self) -> None:
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._descriptor)

    def _read(self) -> bool:
        """Read available output for a moment; return False at the end."""
        if select.select([self._descriptor], [], [], 0.1)[0]:
            try:
                text = os.read(self._descriptor, 1 << 16)
            except OSError:  # EIO: no process has it open any longer
                return False
            self.screen.write(text.decode(errors="replace"))
            return bool(text)
        return True

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
