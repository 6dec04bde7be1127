"""The journals of several hosts, merged by time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from aerodrome.components.logs import SHOWN, Entry, read_entry
from aerodrome.report.output import Prefixed

LONGEST = 1 << 20  # characters per entry; longer entries are dropped


class Journal:
    """Show entries with host and role: sorted across hosts at the end or, when following, as they arrive."""

    def __init__(self, hosts: Sequence[str], roles: Sequence[str], follow: bool) -> None:
        self.follow = follow
        self._host_width = max(map(len, hosts), default=0)
        self._role_width = max(map(len, roles), default=0)
        self._kept: list[Entry] = []
        self._lock = threading.Lock()

    def reader(self, host: str, units: Mapping[str, str]) -> HostJournal:
        """Return a reader for the journal of one host."""
        return HostJournal(self, host, units)

    def keep(self, entries: Iterable[Entry]) -> None:
        """Keep entries, to show them together with those of the other hosts."""
        with self._lock:
            self._kept += entries

    def close(self) -> None:
        """Show the entries that were kept."""
        self.show(self._kept)
        self._kept = []

    def show(self, entries: Iterable[Entry]) -> None:
        """Show entries, oldest first."""
        for entry in sorted(entries):
            label = f"{entry.host:{self._host_width}} {entry.role:{self._role_width}}"
            printer = Prefixed(label, len(label), reads=True)
            printer.read("".join(f"{line}\n" for line in entry.lines()))


class HostJournal:
    """Read the output of one host's script, line by line."""

    def __init__(self, journal: Journal, host: str, units: Mapping[str, str]) -> None:
        self.entries = 0
        self._journal, self._host, self._units = journal, host, units
        self._last: list[Entry] | None = []  # None: already shown; the journal is now followed
        self._rest = ""

    def read(self, text: str) -> None:
        """Take the next part of the output."""
        *lines, rest = (self._rest + text).split("\n")
        self._rest = rest[:LONGEST]
        for line in lines:
            if line == SHOWN and self._last is not None:
                self._journal.show(self._last)
                self._last = None
            elif entry := read_entry(self._host, self._units, line):
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        self.entries += 1
        if not self._journal.follow:
            self._journal.keep([entry])
        elif self._last is not None:
            self._last.append(entry)
        else:
            self._journal.show([entry])
