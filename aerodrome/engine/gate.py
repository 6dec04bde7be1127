"""Wait until everything that a stage has started is healthy, or report why it will not be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from aerodrome.core.check import Finding, Gate
from aerodrome.core.event import Emit, Healthy
from aerodrome.core.resource import quote
from aerodrome.engine.words import hint
from aerodrome.errors import HostError, reading
from aerodrome.fleet.model import Deploy, Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.limits import Limit, LimitExceeded
from aerodrome.remote.run import run

LONGEST_LOOK = 1 << 18  # characters of one look to keep
POLL = 1.0  # seconds between two looks, if the host cannot look by itself


class Gatekeeper:
    """Holds a stage up until its gates are passed."""

    def __init__(
        self,
        connections: Connections,
        emit: Emit,
        hints: Mapping[str, str],
        at: Callable[[str, str], None],
    ) -> None:
        """Take the function that emits events, and `at`, which is called with what each host is waiting for."""
        self._connections, self._emit, self._hints, self._at = connections, emit, hints, at

    @property
    def _deploy(self) -> Deploy:
        return self._connections.fleet.deploy

    @property
    def _late(self) -> str:
        return f"is not healthy {self._deploy.health_timeout} s after its start"

    def wait(self, host: Host, gate: Gate) -> None:
        """Wait until every subject of a gate is ok.

        Raises HostError, with the last lines of the unit's journal, if a subject fails or is not ok in time.
        """
        waiting, began = list(gate.subjects), time.monotonic()
        deadline = began + self._deploy.health_timeout
        deaths: dict[str, int] = {}  # earlier restarts do not count
        last: dict[str, Finding] = {}  # the last finding of each subject that is not ok
        pending = ""

        def read(text: str) -> bool:
            nonlocal pending
            looks, pending = gate.looks(pending + text)
            pending = pending[-LONGEST_LOOK:]
            for look in looks:
                judge(asked.judge(look))
            return not waiting

        def judge(findings: Sequence[Finding]) -> None:
            for finding in findings:
                if finding.subject not in waiting:
                    continue
                self._at(host.name, f"{finding.unit}: {finding.detail}")
                if finding.ok:
                    waiting.remove(finding.subject)
                    self._emit(Healthy(host.name, f"roles.{finding.subject}", finding.detail, time.monotonic() - began))
                else:
                    last[finding.subject] = finding
                    self._go_on(host, finding, deaths.setdefault(finding.subject, finding.restarts), deadline)

        while waiting:
            asked, pending = gate.only(waiting), ""
            try:
                self._watch(host, asked, read, deadline)
            except LimitExceeded as error:
                raise self._unfinished(host, waiting[0], last.get(waiting[0]), deadline, error) from error
            if waiting:  # it ended by itself: its Python cannot run there, or not yet
                judge(self._look(host, gate.only(waiting)))
                time.sleep(POLL)

    def _watch(self, host: Host, gate: Gate, read: Callable[[str], bool], deadline: float) -> None:
        """Pass the host's looks to `read` until that has seen enough; a probe that prints nothing is ended too."""
        limit = Limit(max(deadline - time.monotonic(), 0) + POLL, self._deploy.output_limit, "health_timeout")
        run(self._connections, host, gate.watch(), on_text=read, limit=limit, keep=False)

    def _unfinished(
        self, host: Host, subject: str, seen: Finding | None, deadline: float, error: LimitExceeded
    ) -> HostError:
        """Return why the wait ends for a host that has not finished looking: what was `seen` last, if anything."""
        if seen and time.monotonic() > deadline:
            return self._failed(host, seen, self._late)
        message = f"its health is unknown: the probe {error.message}"
        return HostError(host.name, f"roles.{subject}", message, error.hint)

    def _look(self, host: Host, gate: Gate) -> Sequence[Finding]:
        output = run(self._connections, host, gate.probe())
        with reading(host.name, "health"):
            return gate.judge(output.text)

    def _go_on(self, host: Host, finding: Finding, deaths: int, deadline: float) -> None:
        """Raise HostError if waiting any longer is pointless."""
        if finding.verdict == "failed" or finding.restarts > deaths:
            raise self._failed(host, finding, "died after its start")
        if time.monotonic() > deadline:
            raise self._failed(host, finding, self._late)

    def _failed(self, host: Host, finding: Finding, what: str) -> HostError:
        words = journal(self._connections, host, finding.unit)
        message = f"{finding.unit} {what}: {finding.detail}"
        return HostError(host.name, f"roles.{finding.subject}", message, hint(words, self._hints), words)


def journal(connections: Connections, host: Host, unit: str, lines: int = 20) -> str:
    """Return the last lines of a unit's journal, or nothing if it is unavailable: it only explains another failure."""
    script = f"journalctl --no-pager -q -o short-iso -n {lines} -u {quote(unit)}"
    try:
        return run(connections, host, script).text.rstrip()
    except HostError:
        return ""
