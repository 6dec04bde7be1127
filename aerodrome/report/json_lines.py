"""What `--json` prints: a JSON object a line on stdout, one for each event as it happens, the last one how it ended.

Each object has `time` (UTC, ISO 8601 with milliseconds) and `event`. What has no value is null. Objects about a host
have `host`, and `stage`: the stage that it happened in, null before the first one. What is in an object, by `event`:

    begin          run (its id in `fab history`), performer, command, hosts: [name]
    stage          stage, hosts: [name]         a stage has begun on these hosts
    stage_end      stage, seconds, failed: [name]
    change         host, step, resource, summary    a change has begun
    change_end     the same, and seconds            it has been made
    waiting        host, why                        what a host waits for before it goes on
    still_waiting  doing: {name: what}, seconds     what the hosts that a run has been waiting for are at
    healthy        host, step, detail, seconds
    note           host (null: the fleet), text
    killed         host, step, tasks                running tasks that did not end in time
    failed         host, step, message, hint, detail    also in the `errors` of the end
    end            outcome, seconds, changed: [name], errors: [{host, step, message, hint, detail}]

`outcome` is "changed", "unchanged", "failed" or "interrupted" (Ctrl-C). `detail` may be several lines of evidence: a
journal, the last words of a program. The exit code is the same as without --json, and errors are also printed on
stderr. Nothing holds a secret, or anything that a terminal could obey. New kinds of events and new keys may be added;
those that are here stay.

A run goes on to its end even if nobody reads its output any more.
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
        self._ended = False  # threads that Ctrl-C has left behind may go on
        self._failed: NoOutput | None = None

    def emit(self, event: Event) -> None:
        """Print an event; those that only a display needs are left out."""
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
            except NoOutput as error:  # it may come in the middle of a change
                self._failed = error

    def close(self) -> None:
        """Raise NoOutput if the events could not be written; a reader that has gone did not want them."""
        if self._failed and self._failed.why:
            raise self._failed


def _safe(value: Any) -> Any:
    """Return a value without secrets: in JSON they might be written in another way than they are known by."""
    if isinstance(value, str):
        return redactor.hide(value)
    if isinstance(value, list):
        return [_safe(each) for each in value]
    return {_safe(key): _safe(each) for key, each in value.items()} if isinstance(value, dict) else value
