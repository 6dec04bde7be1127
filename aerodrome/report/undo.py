"""The undo of a run, as the terminal shows it before it is applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aerodrome.core.history import Past
from aerodrome.core.undo import Entry, Verdict
from aerodrome.report.sink import Paint, data, one_line


def show_undo(past: Past, found: Mapping[str, tuple[Sequence[Entry], Mapping[str, Verdict]]]) -> None:
    """Print the changes of a run, host by host, the newest first: how each is taken back, or why it is not."""
    data(one_line(f"{past.run} of {past.performer}, {past.started}: {past.command}"))
    for host, (entries, verdicts) in found.items():
        lines = [line for entry in reversed(entries) for line in _lines(entry, verdicts[entry.number])]
        if lines:
            data(Paint(host, "1"))
            data("\n".join(lines) + "\n")


def _lines(entry: Entry, verdict: Verdict) -> list[str]:
    step = f"  {one_line(entry.step)}: "
    if verdict == "back":
        return [step + one_line(entry.summary), *(f"    {line}" for line in entry.diff.splitlines())]
    if verdict == "none":
        return [f"{step}{one_line(entry.change)} (no way back)"]
    if verdict == "changed":
        return [f"{step}{one_line(entry.resource)} has been changed since"]
    return []
