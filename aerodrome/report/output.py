"""Output of a command that runs on hosts: passed on as it arrives, safe for a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from aerodrome.report.sink import NoOutput, data, escape_json, say
from aerodrome.report.terminal import still_waiting

LONGEST_LINE = 1 << 16  # characters to buffer while waiting for the end of a line
# Characters parsed without finding a JSON document before we give up: each of a million lines may begin like one.
MOST_IN_VAIN = 20_000_000


class Through:
    """Pass a command's output on as it arrives, in whole lines, to stdout or another sink.

    If nobody reads the output any more, the command continues, because it may be in the middle of a change; `check`
    reports it afterwards. A command that only `reads` is stopped immediately (NoOutput).
    """

    def __init__(self, to: Callable[[str], None] = data, reads: bool = False) -> None:
        self._to: Callable[[str], None] | None = to
        self._reads = reads
        self._failed: NoOutput | None = None
        self._rest = ""

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        lines, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._show(lines)
        if len(self._rest) > LONGEST_LINE:
            self._show_rest()

    def close(self) -> None:
        """Print the rest."""
        self._show_rest()

    def _show_rest(self) -> None:
        rest, self._rest = self._rest, ""
        if rest:
            self._show(rest)

    def check(self) -> None:
        """Raise NoOutput if the command continued without its output, unless the reader closed the pipe."""
        if self._failed and self._failed.why:
            raise self._failed

    def _show(self, lines: str) -> None:
        if self._to:
            try:
                self._to(self._line(lines))
            except NoOutput as error:
                if self._reads:
                    raise
                self._to, self._failed = None, error

    def _line(self, lines: str) -> str:
        return lines


class JsonAlone(Through):
    """Keep a command's output; at the end, print the JSON document on stdout and everything else on stderr."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[str] = []

    def _show(self, lines: str) -> None:
        self._kept.append(lines)

    def close(self) -> None:
        """Print everything else that the command said, then the document."""
        if self._rest:
            self._show(self._rest)
        document, rest = json_document("\n".join(self._kept))
        if rest.rstrip("\n"):
            say(rest.rstrip("\n"))
        if document:
            data(escape_json(document))


class Prefixed(Through):
    """Pass output on with the host's name in front of each line."""

    def __init__(self, host: str, width: int, to: Callable[[str], None] = data, reads: bool = False) -> None:
        super().__init__(to, reads)
        self._prefix = f"{host:{width}} | "

    def _line(self, lines: str) -> str:
        return "\n".join(self._prefix + line for line in lines.split("\n"))


def waiting_for(what: str | None) -> Callable[[list[str], int], None]:
    """Return a callback that reports which hosts a command waits for, or is silent (None) if it runs until Ctrl-C."""

    def waiting(names: list[str], seconds: int) -> None:
        if what:
            still_waiting(dict.fromkeys(names, what), seconds)

    return waiting


def json_document(text: str) -> tuple[str, str]:
    """Return the last JSON document in a command's output, and the rest: Airflow logs to stdout as well.

    A log line may also begin with [. If there is nothing to list, Airflow says so in words; return an empty list then.
    """
    decoder, found, start, spent = json.JSONDecoder(), None, 0, 0
    for line in re.finditer(r"^[\[{]", text, re.MULTILINE):
        if line.start() < start:
            continue  # inside a document
        if spent > MOST_IN_VAIN:
            break
        try:
            _, end = decoder.raw_decode(text, line.start())
        except json.JSONDecodeError as error:
            spent += error.pos - line.start()
            continue
        except (ValueError, RecursionError):
            spent += MOST_IN_VAIN // 1000
            continue
        newline = text.find("\n", end)
        if not text[end : newline if newline >= 0 else None].strip():
            found, start = (line.start(), end), end
    if found:
        return text[found[0] : found[1]], text[: found[0]] + text[found[1] :].removeprefix("\n")
    nothing = re.search(r"^No data found\s*\Z", text, re.MULTILINE)
    return ("[]", text[: nothing.start()]) if nothing else ("", text)
