"""The last lines of a terminal, redrawn below everything else that is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, TextIO, cast

from rich.console import Console, ConsoleOptions, OverflowMethod, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from aerodrome.report.sink import discard

PER_SECOND = 4  # redraws


class _Steady:
    """A stream whose reader may disappear: a failed write interrupts neither a change nor the drawing thread."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.encoding = file.encoding or "utf-8"

    def write(self, text: str) -> int:
        try:
            return self._file.write(text.encode(self.encoding, "backslashreplace").decode(self.encoding))
        except (OSError, ValueError):
            discard(self._file)
            return len(text)

    def flush(self) -> None:
        try:
            self._file.flush()
        except (OSError, ValueError):
            discard(self._file)

    def fileno(self) -> int:
        return self._file.fileno()

    def isatty(self) -> bool:
        return True


class _Console(Console):
    """A console that leaves the cursor visible, because fab may be killed or suspended at any moment."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _Printed:
    """Text that is ready to print, colours included; the terminal itself wraps it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text + "\n")


class _Lines:
    """The lines at the moment of drawing, each cut to the terminal's width.

    A wrapped line would take more rows than are erased afterwards.
    """

    def __init__(self, lines: Callable[[int], list[str]], unicode: bool) -> None:
        self._lines = lines
        self._overflow: OverflowMethod = "ellipsis" if unicode else "crop"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(max(options.size.height - 2, 1)):
            yield Text(line, no_wrap=True, overflow=self._overflow)


class Region:
    """Lines at the end of stderr, which must be a terminal. `lines` returns them for the number of rows available."""

    def __init__(self, lines: Callable[[int], list[str]]) -> None:
        """Take the function that returns the lines, safe for a terminal. Another thread calls it."""
        file = _Steady(sys.stderr)
        self._lines = _Lines(lines, file.encoding.lower().startswith("utf"))
        self._console = _Console(
            file=cast(IO[str], file),
            force_terminal=True,
            force_interactive=True,
            color_system=None,
            highlight=False,
            legacy_windows=False,
        )
        self._live: Live | None = None

    def start(self) -> None:
        """Start drawing."""
        self._live = Live(
            console=self._console,
            get_renderable=self._fitted,
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def stop(self) -> None:
        """Erase the lines and stop drawing."""
        if self._live:
            self._live.stop()
            self._live = None

    def above(self, text: str) -> None:
        """Print text above the lines."""
        self._fitted()
        self._console.print(_Printed(text), soft_wrap=True)

    def _fitted(self) -> _Lines:
        """Return the lines, after adapting to the terminal's current size."""
        with suppress(OSError, ValueError):
            width, height = os.get_terminal_size(self._console.file.fileno())
            if width and height:  # 0 if the size is unknown
                self._console.size = (width, height)
        return self._lines
