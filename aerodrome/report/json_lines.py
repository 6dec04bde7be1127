"""The output of `--json`: one JSON object per line on stdout for each event as it happens. The last one is the outcome.

Each object has `time` (UTC, ISO 8601 with milliseconds) and `event`. Missing values are null. Objects about a host
have `host` and `stage`, the stage in which the event happened (null before the first stage). Keys by `event`:

    begin          run (its id in `fab history`), performer, command, hosts: [name]
    stage          stage, hosts: [name]         a stage has begun on these hosts
    stage_end      stage, seconds, failed: [name]
    change         host, step, resource, summary    a change has begun
    change_end     the same, and seconds            it has been made
    waiting        host, why                        what a host waits for before it continues
    still_waiting  doing: {name: what}, seconds     what the hosts that hold up the run are doing
    healthy        host, step, detail, seconds
    note           host (null: the fleet), text
    killed         host, step, tasks                running tasks that did not finish in time
    failed         host, step, message, hint, detail    also in the `errors` of the end
    end            outcome, seconds, changed: [name], errors: [{host, step, message, hint, detail}]

`outcome` is "changed", "unchanged", "failed" or "interrupted" (Ctrl-C); after `fab lock.hold` also "held", and after
`fab lock.release` "released", or "unchanged" if the lock was free. `detail` may hold several lines of evidence,
such as a journal or the last output of a program. The exit code is the same as without --json, and errors are also
printed on stderr. No event contains a secret, or anything that a terminal could interpret. New kinds of events and new
keys may be added; existing ones stay.

A run continues to its end even if nobody reads its output any more.
"""

from __future__ import annotations

import json
import threading
from typing import Any

from aerodrome.core.event import Doing, Event, Idle, RunEnded, StageBegan, StageEnded, as_dict
from aerodrome.report.sink import NoOutput, data, escape_json, redactor


class JsonLines:
    """Print a run's events for programs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stage = ""
        self._ended = False  # threads that survive Ctrl-C may still emit
        self._failed: NoOutput | None = None

    def emit(self, event: Event) -> None:
        """Print an event, except those that only a display needs."""
        if isinstance(event, Doing | Idle):
            return
        document = _safe(as_dict(event))
        with self._lock:
            if isinstance(event, StageBegan):
                self._stage = event.stage
            elif "host" in document:
                document["stage"] = self._stage or None
            if self._ended:
                return
            self._ended = isinstance(event, RunEnded)
            self._print(escape_json(json.dumps(document, ensure_ascii=False)))
            if isinstance(event, StageEnded):
                self._stage = ""

    def _print(self, line: str) -> None:
        if not self._failed:
            try:
                data(line)
            except NoOutput as error:  # possibly in the middle of a change
                self._failed = error

    def close(self) -> None:
        """Raise NoOutput if the events could not be written, unless the reader closed the pipe."""
        if self._failed and self._failed.why:
            raise self._failed


def _safe(value: Any) -> Any:
    """Return a value without secrets. JSON may escape a secret, so that the redactor would not recognise it later."""
    if isinstance(value, str):
        return redactor.hide(value)
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return {_safe(key): _safe(each) for key, each in value.items()} if isinstance(value, dict) else value
