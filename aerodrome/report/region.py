"""The last lines of a terminal, drawn again and again, below all that is printed."""

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

PER_SECOND = 4  # how often it is drawn


class _Steady:
    """A stream whose reader may go: nothing that cannot be shown ends a change, or the thread that draws."""

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
    """A console that leaves the cursor visible: fab may be killed or suspended at any moment."""

    def show_cursor(self, show: bool = True) -> bool:
        return False


class _Printed:
    """Text that is fit to be printed already, with its colours; the terminal itself wraps it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text + "\n")


class _Lines:
    """The lines as they are at the moment they are drawn, each cut to the terminal's width.

    A line that was wrapped would take more rows than are taken back.
    """

    def __init__(self, lines: Callable[[int], list[str]], unicode: bool) -> None:
        self._lines = lines
        self._overflow: OverflowMethod = "ellipsis" if unicode else "crop"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._lines(max(options.size.height - 2, 1)):
            yield Text(line, no_wrap=True, overflow=self._overflow)


class Region:
    """Lines at the end of stderr, which is a terminal; `lines` gives them for the rows that there is room for."""

    def __init__(self, lines: Callable[[int], list[str]]) -> None:
        """Take what gives the lines, safe for a terminal; it is called from another thread."""
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
        """Draw the lines from now on."""
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
        """Take the lines away."""
        if self._live:
            self._live.stop()
            self._live = None

    def above(self, text: str) -> None:
        """Print text above the lines."""
        self._fitted()
        self._console.print(_Printed(text), soft_wrap=True)

    def _fitted(self) -> _Lines:
        """Return the lines; from now on they are drawn for the terminal as it is now."""
        with suppress(OSError, ValueError):
            width, height = os.get_terminal_size(self._console.file.fileno())
            if width and height:  # 0, where nobody has said
                self._console.size = (width, height)
        return self._lines
