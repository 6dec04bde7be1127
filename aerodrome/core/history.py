"""The history of runs: the script that shows it, and what is read from it. What a host shows is not trusted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from math import isfinite
from typing import Any

from aerodrome.core.lock import HISTORY, LockState, one_line
from aerodrome.core.resource import PRELUDE, quote
from aerodrome.dataclass import dataclass

RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
MOST_MATCHES = 20  # runs that a part of a name may name before it is of no use
LONGEST = 400_000  # bytes of a record that are read; a whole one has fewer
TEXT = 500  # characters of a text that are shown

_NAMES = f"cd {HISTORY} 2>/dev/null && ls -1 | grep -E '^[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{4}}[.]jsonl$'"


@dataclass(frozen=True)
class Past:
    """A run as its record has it; `outcome` is empty if the record has no end."""

    run: str
    performer: str = "?"
    command: str = "?"
    why: str = ""
    hosts_file: str = ""
    version: str = ""
    started: str = "?"
    outcome: str = ""
    seconds: float | None = None
    changed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    errors: Sequence[str] = ()
    stages: Sequence[tuple[str, str, Sequence[str]]] = ()  # when, which, on which hosts
    broken: bool = False  # a line of the record cannot be read
    end: str = ""  # when
    runbook: str = ""


def history_script(nonce: str, last: int) -> str:
    """Return sh that prints the lock's record, and the first and the last line of the newest records."""
    ends = f'head -n 1 "$name" | head -c {LONGEST}; tail -n 1 "$name" | head -c {LONGEST}'
    return _script(nonce, f"{_NAMES} | tail -n {int(last)}", ends)


def run_script(nonce: str, part: str) -> str:
    """Return sh that prints the lock's record, and the whole records of the runs with `part` in their names."""
    return _script(nonce, f"{_NAMES} | grep -F -e {quote(part)} | tail -n {MOST_MATCHES}", f'head -c {LONGEST} "$name"')


def _script(nonce: str, names: str, show: str) -> str:
    each = f"while IFS= read -r name; do printf '\\n@{nonce} %s\\n' \"$name\"; {show}; done"
    return f"""{PRELUDE}{LockState().probe()}
printf '\\n@{nonce}\\n'
{names} | {each}
printf '\\n@{nonce} end\\n'
"""


def read_history(nonce: str, output: str) -> list[Past]:
    """Read what either script prints, the newest run first; a run that has the lock and is alive is `running`.

    Raises ValueError if the output is not whole.
    """
    lock, mark, rest = output.partition(f"\n@{nonce}\n")
    rest, end, _ = rest.rpartition(f"\n@{nonce} end\n")
    if not (mark and end):
        raise ValueError(f"the history broke off: {output.strip()[-200:] or 'no output'}")
    found = LockState().read(lock)
    running = found.claim.run if found and found.claim and found.alive else ""
    pasts = []
    for text in f"\n{rest}".split(f"\n@{nonce} ")[1:]:
        name, _, record = text.partition("\n")
        run = name.removesuffix(".jsonl")
        if RUN.fullmatch(run):
            pasts.append(read_record(run, record, running == run))
    return pasts[::-1]


def read_record(run: str, text: str, running: bool = False) -> Past:
    """Read the lines of a record that are there; one that makes no sense makes the record a broken one."""
    given: dict[str, Any] = {"run": run, "broken": False, "stages": []}
    for line in dict.fromkeys(filter(None, text.split("\n"))):
        try:
            event = json.loads(line)
            _read_event(event, given)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
            given["broken"] = True
    outcome = given.get("outcome") or ("running" if running else "")
    given["stages"] = tuple(given["stages"])
    return Past(**{**given, "outcome": outcome or ("broken" if "started" not in given else "killed")})


def _read_event(event: Mapping[str, Any], given: dict[str, Any]) -> None:
    kind, at = event["event"], _text(event["at"])
    if kind == "start":
        names = ("performer", "command", "why", "hosts_file", "version")
        given.update({name: _text(event[name]) for name in names}, started=at, runbook=_text(event.get("runbook", "")))
    elif kind == "stage":
        given["stages"].append((at, _text(event["stage"]), _texts(event["hosts"])))
    elif kind == "end":
        seconds = float(event["seconds"])
        if not isfinite(seconds):
            raise ValueError(seconds)
        changed = {_text(host): _texts(keys) for host, keys in event["changed"].items()}
        given.update(outcome=_text(event["outcome"]), seconds=seconds, changed=changed, end=at)
        given.update(errors=_texts(event["errors"]))
    elif kind == "lost":
        given.update(end=at)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return one_line(value, TEXT)


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError
    return tuple(map(_text, values))
