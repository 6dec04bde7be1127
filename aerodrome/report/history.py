"""Print the history of runs and the fleet's lock, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aerodrome.core.history import Past
from aerodrome.core.lock import Found, described
from aerodrome.core.size import counted
from aerodrome.report.sink import data, escape_json, one_line


def show_history(pasts: Sequence[Past]) -> None:
    """Print one line per run, newest first."""
    width = max((len(past.performer) for past in pasts), default=0)
    for past in pasts:
        row = f"{past.run}  {past.performer:{width}}  {_ended(past):12}  {past.command}{_more(past)}"
        data(one_line(row))


def show_past(past: Past) -> None:
    """Print everything about one run."""
    rows = [
        ("run", past.run),
        ("performer", past.performer),
        ("command", past.command),
        ("why", past.why),
        ("started", past.started),
        ("ended", past.end or "-"),
        ("outcome", _ended(past)),
        ("runbook", past.runbook),
        ("hosts file", past.hosts_file),
        ("aerodrome", past.version),
    ]
    rows += [("stage", f"{at}  {stage} on {', '.join(hosts)}") for at, stage, hosts in past.stages]
    rows += [(f"changed on {host}", key) for host, keys in past.changed.items() for key in keys]
    rows += [("error", error) for error in past.errors]
    if past.broken:
        rows.append(("note", "a part of this record cannot be read"))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        data(f"{name:{width}}  {one_line(text)}")


def show_history_as_json(pasts: Sequence[Past]) -> None:
    """Print runs as a list, newest first."""
    data(_json([_document(past) for past in pasts]))


def show_past_as_json(past: Past) -> None:
    """Print one run, with its stages."""
    stages = [{"at": at, "stage": stage, "hosts": list(hosts)} for at, stage, hosts in past.stages]
    data(_json({**_document(past), "stages": stages}))


def show_lock(found: Found | None) -> None:
    """Print who holds the fleet's lock."""
    data(described(found) if found else "free")


def show_lock_as_json(found: Found | None) -> None:
    """Print who holds the fleet's lock: `{"state": "free" | "running" | "left" | "held" | "broken", …}`."""
    if found is None:
        data(_json({"state": "free"}))
        return
    claim = found.claim
    if claim is None:
        data(_json({"state": "broken", "age": found.age, "text": found.text}))
        return
    state = "running" if found.alive else "held" if claim.hold else "left"
    about = {"run": claim.run, "performer": claim.performer, "command": claim.what, "why": claim.why}
    data(_json({"state": state, **about, "age": found.age, "way_back_failed": claim.stuck}))


def _ended(past: Past) -> str:
    return past.outcome if past.seconds is None else f"{past.outcome}, {past.seconds:.0f} s"


def _more(past: Past) -> str:
    """Return a few words on what a run changed and what went wrong."""
    parts = []
    if past.changed:
        parts.append(f"{counted(len(past.changed), 'host')} changed")
    if past.outcome in ("held", "released"):
        parts.append(past.why)
    parts += [error[:100] for error in past.errors[:1]]
    return f": {'; '.join(parts)}" if parts else ""


def _document(past: Past) -> dict[str, object]:
    return {
        "run": past.run,
        "performer": past.performer,
        "command": past.command,
        "why": past.why,
        "started": past.started,
        "ended": past.end or None,
        "outcome": past.outcome,
        "seconds": past.seconds,
        "hosts_file": past.hosts_file,
        "version": past.version,
        "changed": {host: list(keys) for host, keys in past.changed.items()},
        "errors": list(past.errors),
        "broken": past.broken,
    }


def _json(document: object) -> str:
    return escape_json(json.dumps(document, indent=2, ensure_ascii=False))
