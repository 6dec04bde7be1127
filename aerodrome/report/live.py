"""Live display on a terminal: finished work scrolls by above one line per busy host."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Event,
    Failed,
    Idle,
    StageBegan,
    StillWaiting,
    Waiting,
)
from aerodrome.dataclass import dataclass
from aerodrome.report import sink
from aerodrome.report.sink import escape, one_line, redactor
from aerodrome.report.terminal import Terminal

if TYPE_CHECKING:
    from aerodrome.report.region import Region

SLOW = 3.0  # seconds to wait for answers before showing which hosts have not answered yet


@dataclass(frozen=True)
class _Row:
    """A host's current activity, and when it began (monotonic clock)."""

    what: str
    since: float
    change: ChangeBegan | None = None


class Live(Terminal):
    """Print finished work, and show what each host is doing and for how long. `close` restores the terminal.

    The drawing code takes 0.1 s to import. A separate thread imports it once there is something to show, so neither a
    run with nothing to do nor any host waits for it.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        names = list(hosts)
        super().__init__(names)
        self._places = {name: place for place, name in enumerate(names)}
        self._rows: dict[str, _Row] = {}
        self._guard = threading.Lock()  # guards rows and timer; nothing is printed while it is held
        self._timer: threading.Timer | None = None
        self._starting = threading.Lock()
        self._region: Region | None = None
        self._closed = False

    def emit(self, event: Event) -> None:
        """Print an event, or show it as what its host is doing."""
        row = self._follow(event)
        match event:
            case ChangeEnded(summary=summary, seconds=seconds):
                took = f"  ({seconds:.0f} s)" if seconds >= 1 else ""
                self._line(event.host, event.step, f"{one_line(summary)}{took}")
            case Failed() if row and row.change:
                self._end(row, "failed")
            case ChangeBegan() | Waiting():
                pass  # the region shows it
            case StillWaiting() if self._region:
                pass
            case _:
                super().emit(event)

    def close(self) -> None:
        """Remove the region, and report the changes that were not finished."""
        with self._guard:
            self._closed = True
            if self._timer:
                self._timer.cancel()
            rows = list(self._rows.values())
        with self._starting:
            if self._region:
                sink.detach(self._region)
                self._region = None
        for row in rows:
            if row.change:
                self._end(row, "not finished")

    def _end(self, row: _Row, how: str) -> None:
        if change := row.change:
            took = f"{time.monotonic() - row.since:.0f} s"
            self._line(change.host, change.step, f"{one_line(change.summary)}  ({took}, {how})")

    def _follow(self, event: Event) -> _Row | None:
        """Record what each host is doing; return what this event's host was doing before."""
        now = time.monotonic()
        with self._guard:
            before = self._rows.get(getattr(event, "host", ""))
            match event:
                case Doing(host=host, what=what) | Waiting(host=host, why=what):
                    self._rows[host] = _Row(what, before.since, before.change) if before else _Row(what, now)
                case ChangeBegan(host=host, step=step, summary=summary):
                    self._rows[host] = _Row(f"{step}: {summary}", now, event)
                case ChangeEnded(host=host, step=step):
                    self._rows[host] = _Row(step, now)
                case Failed(host=host) if before:
                    self._rows[host] = _Row(before.what, before.since)
                case Idle(host=host):
                    self._rows.pop(host, None)
            self._plan_region(event)
        return before

    def _plan_region(self, event: Event) -> None:
        """Start the region as soon as a host is busy, or, while hosts are only being asked, once that takes long."""
        if self._region or self._closed:
            return
        at_once = isinstance(event, StageBegan | Waiting)
        if self._timer and (at_once or not self._rows):
            self._timer.cancel()
            self._timer = None
        if not self._timer and (at_once or self._rows):
            self._timer = threading.Timer(0 if at_once else SLOW, self._begin)
            self._timer.daemon = True
            self._timer.start()

    def _begin(self) -> None:
        with self._starting:
            if self._region or self._closed:
                return
            from aerodrome.report.region import Region

            region = Region(self.lines)
            sink.attach(region)
            self._region = region

    def lines(self, room: int) -> list[str]:
        """Return one line per busy host, or, if there is no room for all, for those that have been busy the longest."""
        now = time.monotonic()
        with self._guard:
            rows = sorted(self._rows.items(), key=lambda each: each[1].since)
        shown = rows if len(rows) <= room else rows[: max(room - 1, 0)]
        last = len(self._places)
        shown.sort(key=lambda each: self._places.get(each[0], last))
        lines = [self._row(host, row, now) for host, row in shown]
        return [*lines, f"  … and {len(rows) - len(shown)} more"] if len(shown) < len(rows) else lines

    def _row(self, host: str, row: _Row, now: float) -> str:
        what = escape(one_line(redactor.hide(row.what))).replace("\t", " ")
        return f"  {host:{self.width}}  {now - row.since:4.0f} s  {what}"
