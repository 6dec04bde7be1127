"""The ways back of a run, as its hosts keep them: write, list and run them. A host's text is not trusted.

An entry is a file owned by root. It has a line with the sizes of its parts, a line of JSON, the sh that prints the
state of what was changed, the sh that takes the change back, and the payload of that sh: former content, which may be
secret and never leaves the host again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from aerodrome.core.lock import ROOT as LOCK_ROOT
from aerodrome.core.lock import one_line
from aerodrome.core.plan import LOCK, PRIVATE_LOCK, Apply, PlannedChange
from aerodrome.core.resource import PRELUDE, quote
from aerodrome.core.undo import NOTHING, Entry
from aerodrome.dataclass import dataclass

ROOT = f"{LOCK_ROOT}/undo"
KEPT = 10  # runs
MARK = "aerodrome-undo"
LONGEST_HEAD, LONGEST_STATE = 65_536, 500  # bytes that are read
LONGEST_TEXT, LONGEST_DIFF = 1000, 20_000  # characters that are kept
NUMBER = re.compile(r"\d{4}")

# Reads the sizes and the head of the entry on descriptor 4, and then its two scripts.
_OPENED = f"""\
IFS=' ' read -r mark head state script <&4; [ "$mark" = {MARK} ] && [ "$head" -le {LONGEST_HEAD} ] || exit 1
head=$(head -c "$head" <&4; echo .) state=$(head -c "$state" <&4) script=$(head -c "$script" <&4)
now=$( ( set +eu; eval "$state" ) 3<&- 4<&- 9<&- 2>/dev/null </dev/null | head -c {LONGEST_STATE} )
"""


@dataclass(frozen=True)
class Place:
    """Where in a run a change is made."""

    run: str
    number: int  # of the stage
    stage: str


def written(changes: Sequence[PlannedChange], place: Place, redact: Callable[[str], str]) -> Apply:
    """Return sh that writes an entry for each change that is about to be made, and the payload of that sh.

    Everything arrives before the first entry is in its place, and so before anything is changed.
    """
    entries = []
    for planned in changes:
        if planned.change.gate:
            break
        if planned.change.script and planned.change.undo != NOTHING:
            entries.append(_entry(planned, place, redact))
    if not entries:
        return Apply("", b"")
    payload, folder = b"".join(entries), f"{ROOT}/{place.run}"
    script = f"""\
{{
umask 077
[ -d {folder} ] || {{
mkdir -p {folder}
ls -1r {ROOT} | tail -n +{KEPT + 1} | while IFS= read -r old; do rm -rf "{ROOT}/$old"; done
}}
head -c {len(payload)} <&3 >{folder}/.new
[ "$(stat -c %s {folder}/.new)" = {len(payload)} ]
set -- {folder}/[0-9]*
[ -e "$1" ] || set --
number=$#
for size in {" ".join(str(len(entry)) for entry in entries)}; do
number=$((number + 1))
head -c $size <&4 >{folder}/.next
mv {folder}/.next "{folder}/$(printf %04d $number)"
done 4<{folder}/.new
rm {folder}/.new
umask 022
{PRIVATE_LOCK}
"""
    return Apply(script, payload)


def _entry(planned: PlannedChange, place: Place, redact: Callable[[str], str]) -> bytes:
    undo = planned.change.undo or NOTHING
    about = {
        "place": place.number,
        "stage": place.stage,
        "step": planned.step,
        "resource": planned.resource,
        "change": redact(planned.change.summary)[:LONGEST_TEXT],
        "summary": redact(undo.summary)[:LONGEST_TEXT],
        "diff": _shown(redact(backwards(planned.change.diff))) if undo != NOTHING else "",
        "subject": hashlib.sha256(undo.state.encode()).hexdigest()[:16],
        "before": undo.before,
        "left": undo.left,
        "after": list(undo.after),
        "late": undo.late,
        "restarts": undo.restarts,
        "interrupts": undo.interrupts,
    }
    head = json.dumps(about).encode() + b"\n"
    state, script = (text.encode("utf-8", "surrogateescape") for text in (undo.state, undo.script))
    return f"{MARK} {len(head)} {len(state)} {len(script)}\n".encode() + head + state + script + undo.payload


def backwards(diff: str) -> str:
    """Reverse a unified diff."""
    lines: list[str] = []
    added: list[str] = []  # lines that come back, which follow those that go
    for line in diff.split("\n"):
        if line.startswith(("--- ", "+++ ")):
            lines.append(line)
        elif line.startswith("-"):
            added.append(f"+{line[1:]}")
        elif line.startswith("+"):
            lines.append(f"-{line[1:]}")
        else:
            lines, added = [*lines, *added, _swapped(line)], []
    return "\n".join([*lines, *added])


def _swapped(line: str) -> str:
    return re.sub(r"^@@ -(\S+) \+(\S+) @@", r"@@ -\2 +\1 @@", line)


def _shown(diff: str) -> str:
    return diff if len(diff) <= LONGEST_DIFF else f"{diff[:LONGEST_DIFF]} …"


def list_script(run: str, nonce: str) -> str:
    """Return sh that prints all entries of a run, each with its state: `@NONCE NUMBER STATE`, and then the head."""
    return f"""\
{PRELUDE}{LOCK.format(mode="-s")}
[ ! -d {ROOT}/{run} ] || for entry in {ROOT}/{run}/[0-9]*; do ( exec 4<"$entry" || exit 0
{_OPENED}printf '\\n@{nonce} %s %s\\n%s' "${{entry##*/}}" "$now" "${{head%.}}" ) 3<&- 9<&-
done
printf '\\n@{nonce} end\\n'
"""


def read_list(output: str, nonce: str) -> tuple[list[Entry], dict[str, str]]:
    """Read what `list_script` prints: the entries in the order of the run, and their states by number.

    Raises ValueError, LookupError or TypeError if it makes no sense.
    """
    body, end, _ = output.rpartition(f"\n@{nonce} end\n")
    if not end:
        raise ValueError(f"the answer broke off: {output.strip()[-200:] or 'no output'}")
    entries, states = [], {}
    for part in f"\n{body}".split(f"\n@{nonce} ")[1:]:
        first, _, head = part.partition("\n")
        number, _, state = first.partition(" ")
        if not NUMBER.fullmatch(number):
            raise ValueError(f"{number[:20]!r} is not the number of an entry")
        entries.append(_read(number, json.loads(head)))
        states[number] = state[:LONGEST_STATE].strip()
    return sorted(entries, key=lambda entry: entry.number), states


def _read(number: str, given: dict[str, Any]) -> Entry:
    def line(name: str) -> str:
        return one_line(_text(given[name]), LONGEST_TEXT)

    return Entry(
        number,
        int(given["place"]),
        line("stage"),
        line("step"),
        line("resource"),
        line("change"),
        line("summary"),
        _text(given["diff"])[: LONGEST_DIFF + 2],
        line("subject"),
        _text(given["before"])[:LONGEST_STATE],
        _text(given["left"])[:LONGEST_STATE],
        tuple(_text(path) for path in list(given["after"])),
        given["late"] is True,
        line("restarts"),
        given["interrupts"] is True,
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of a text")
    return value


def states_script(run: str, numbers: Sequence[str]) -> str:
    """Return sh that prints `NUMBER STATE` for each of these entries of a run."""
    return (
        f"for entry in {' '.join(numbers)}; do ( exec 4<{ROOT}/{run}/$entry || exit 0\n"
        f"{_OPENED}printf '%s %s\\n' $entry \"$now\" ); done"
    )


def read_states(answer: str) -> dict[str, str]:
    """Read what `states_script` prints."""
    lines = [line.partition(" ") for line in answer.splitlines()]
    return {number: state[:LONGEST_STATE].strip() for number, _, state in lines if NUMBER.fullmatch(number)}


def take_back_script(run: str, entry: Entry, force: bool) -> str:
    """Return sh that takes a change back, unless it has been changed since; with `force` even then."""
    words = f"{entry.resource} has been changed since that run"
    check = "" if force else f'[ "$now" = {quote(entry.left)} ] || {{ echo {quote(words)}; exit 1; }}\n'
    return f'( exec 4<{ROOT}/{run}/{entry.number}\n{_OPENED}{check}exec 3<&4 4<&-\neval "$script" )'
