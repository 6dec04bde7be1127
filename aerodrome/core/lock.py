"""The fleet's lock: one run at a time changes the fleet. The script that holds it, and what it prints.

A process on one host holds a flock for as long as the run's channel is open and the run shows signs of life. This
proves that a run is alive, whatever has happened to its controller. Next to it, root keeps a record on disk of whose
lock it is. The record is removed when a run ends in order, so a record without a flock means a killed run, or a hold.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from aerodrome.core.check import Finding
from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import PRELUDE, quote
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

LOST = 60  # seconds without a sign of life from the run before the script releases the flock
TAKEN, HELD, FOUND, UNRECORDED, LEFT = "@taken", "@held", "@found", "@unrecorded", "@left"
TIMED_OUT, REFUSED, UNWRITABLE = 75, 76, 74
TAKE, EVENT, RECORD, LEAVE, STAY = "take", "event", "record", "leave", "stay"  # the run's commands on descriptor 3

ROOT = "/var/lib/aerodrome"
HISTORY = f"{ROOT}/history"
KEPT = 500  # records of runs
LONGEST_RECORD = 4000  # bytes of the lock's record to read

# Beginnings of the note in a run that needs no lock: another run has it, or the same performer has left it.
LOCK_NOTE, LOCK_LEFT = "the fleet's lock: ", "the fleet's lock is left: "

# Print the record's age in seconds, and the record, on one line.
_RECORD = f"""\
printf '%s ' $(($(date +%s) - $(stat -c %Y {ROOT}/lock)))
printf '%s\\n' "$(head -c {LONGEST_RECORD} {ROOT}/lock | tr '\\n\\0' '  ')"
"""

# The file in /run is the lock. Its time says when a run last took or released the lock; a run that asked its hosts
# before that asks them again. It is never removed, because two runs could then lock two files.
_SCRIPT = """\
{prelude}{runtime}umask 077
lock=/run/aerodrome/fleet.lock log={history}/{run}.jsonl
record() {{ {record}}}
# Write stdin to a file: whole and on the disk, or not at all.
whole() {{ cat >"$1.new" && sync "$1.new" && mv -f "$1.new" "$1" || {{ rm -f "$1.new"; return 1; }}; }}
# Add a line to the record of this run; what has not arrived to the last byte is not in its place.
add() {{
  before=$(stat -c %s "$log") || return
  {{ cat "$log"; printf '%s\\n' "$1"; }} >"$log.new" && sync "$log.new" &&
    [ "$(stat -c %s "$log.new")" = $((before + ${{#1}} + 1)) ] && mv -f "$log.new" "$log" && return
  rm -f "$log.new"
  return 1
}}
# Its children do not have descriptor 9: if this shell is killed, the lock is free at once.
hears() {{ exec 9>&-; timeout {lost} sh -c 'IFS= read -r line && printf "%s\\n" "$line"' <&3; }}
takes() {{ exec 9>&-; timeout {lost} head -c "$1" <&3; }}
[ -e $lock ] || touch -d @0 $lock
exec 9>>$lock
waited=
flock -n 9 || {{
  waited=1
  [ -s {root}/lock ] || sleep 0.3 # it is being written
  printf '{held} %s\\n' "$(record 2>/dev/null)"
  flock -w {patience} 9
}} || exit {timed_out}
changed=$(stat -c %Y $lock) word=
# The controller of a run that has waited may be gone by now: nothing is written before it has said a word.
if [ -e {root}/lock ] || [ "$waited" ]; then
  printf '{found} %s\\n' "$([ ! -e {root}/lock ] || record)"
  until [ "$word" = {take} ]; do
    word=$(hears) || exit {refused}
    case $word in .|{take}) ;; *) exit {refused} ;; esac
  done
fi
before=$(cat "$log" 2>/dev/null) # of a run that begins anew
mkdir -p {history} && rm -f {history}/*.new &&
  printf '%s\\n' ${{before:+"$before"}} {start} | whole "$log" || exit {unwritable}
printf '%s\\n' {claim} | whole {root}/lock || {{ rm -f "$log"; exit {unwritable}; }}
ls -1r {history} | tail -n +{oldest} | while IFS= read -r old; do rm -f "{history}/$old"; done
touch $lock
printf '{taken} %s\\n' $(($(date +%s) - changed))
while line=$(hears); do
  word=${{line%% *}} size=${{line#* }}
  case $word in
  {event}) text=$(takes "$size"); [ ${{#text}} = "$size" ] || break; add "$text" || echo {unrecorded} ;;
  {keep}) text=$(takes "$size"); [ ${{#text}} = "$size" ] || break
    printf '%s\\n' "$text" | whole {root}/lock || echo {unrecorded} ;;
  {leave}) rm -f {root}/lock; touch $lock; echo {left}; exit 0 ;;
  {stay}) touch $lock; echo {left}; exit 0 ;;
  esac
done
add "{{\\"event\\": \\"lost\\", \\"at\\": \\"$(date -u +%FT%TZ)\\"}}"
touch $lock
"""


@dataclass(frozen=True)
class Claim:
    """Whose lock it is. `hold` is set if no run is active: nothing may change until it is released."""

    run: str
    performer: str
    what: str  # the command
    why: str
    hold: bool = False
    stuck: bool = False  # a way back has failed: the fleet is between two states

    def record(self) -> str:
        """Return the claim as one line of JSON."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Found:
    """A record of the lock, as found on a host. Without a `claim` it is broken, and `text` is its content.

    `age` is in seconds, by the host's clock.
    """

    claim: Claim | None
    age: int
    text: str = ""
    alive: bool = False  # a run is active

    def left_by(self, performer: str) -> bool:
        """Return whether this performer's next run should take it over."""
        return self.claim is not None and self.claim.performer == performer and not self.claim.hold


def lock_script(claim: Claim, start: str, patience: int) -> str:
    """Return sh that takes the lock, waiting at most `patience` seconds, and holds it while its descriptor 3 is alive.

    `start` is the first line of the run's record in the history: one line of JSON in ASCII, like all further lines.

    It prints `@held AGE RECORD` if another run holds the lock, and `@found AGE RECORD` if a run has left its record
    (`@found` alone after a wait); then it continues only if it reads the line `take`. It prints `@taken AGE` once it
    has the lock, where AGE is the seconds since a run last took or released it. From then on it reads lines:
    `event SIZE` and `record SIZE`, each followed by that many bytes, add to the history and replace the record; `leave`
    and `stay` release the lock: `leave` removes its record, `stay` keeps it. All other lines are signs of life. It
    prints `@unrecorded` if it could not write, and `@left` after an orderly end. Its exit code is 75 if the wait timed
    out, 76 if it did not read `take`, and 74 if it could not write a record: then it does not have the lock.
    """
    return _SCRIPT.format(
        prelude=PRELUDE,
        runtime=RUNTIME,
        record=_RECORD,
        root=ROOT,
        history=HISTORY,
        run=claim.run,
        claim=quote(claim.record()),
        start=quote(start),
        patience=patience,
        oldest=KEPT + 1,
        taken=TAKEN,
        held=HELD,
        found=FOUND,
        unrecorded=UNRECORDED,
        left=LEFT,
        take=TAKE,
        event=EVENT,
        keep=RECORD,
        leave=LEAVE,
        stay=STAY,
        timed_out=TIMED_OUT,
        refused=REFUSED,
        unwritable=UNWRITABLE,
        lost=LOST,
    )


def read_found(text: str, alive: bool = False) -> Found:
    """Parse `AGE RECORD`; a record that makes no sense counts as broken."""
    age, _, record = text.strip().partition(" ")
    seconds = max(0, int(age)) if re.fullmatch(r"-?\d{1,15}", age, re.ASCII) else 0
    try:
        given = json.loads(record)
        texts = [given[name] for name in ("run", "performer", "what", "why")]
        if not all(isinstance(each, str) for each in texts):
            raise TypeError
    except (ValueError, LookupError, TypeError, RecursionError):
        return Found(None, seconds, one_line(record, 200), alive)
    run, performer, what, why = (one_line(each, 300) for each in texts)
    claim = Claim(run, performer, what, why, given.get("hold") is True, given.get("stuck") is True)
    return Found(claim, seconds, "", alive)


def read_age(line: str) -> int:
    """Parse a line `@taken AGE`.

    Raises AerodromeError for anything else.
    """
    if found := re.fullmatch(rf"{TAKEN} (-?\d{{1,15}})", line, re.ASCII):
        return int(found[1])
    raise AerodromeError(f"the fleet's lock: unexpected answer {line[:100]!r}")


@dataclass(frozen=True)
class LockState:
    """Ask the host that keeps the fleet's lock whose it is. The probe starts no process if the lock is free."""

    performer: str = ""  # who asks
    key = "fleet lock"

    def probe(self) -> str:
        """Return sh that prints `alive` or `left` and then the record, or nothing if the lock is free."""
        alive = "[ -e /run/aerodrome/fleet.lock ] && ! flock -n -s /run/aerodrome/fleet.lock true"
        return f"[ ! -e {ROOT}/lock ] || {{\nif {alive}; then echo alive; else echo left; fi\n{_RECORD}}}"

    def read(self, answer: str) -> Found | None:
        """Return the record that a host has printed; None if the lock is free."""
        first, _, rest = answer.strip().partition("\n")
        return read_found(rest, first == "alive") if first else None

    def judge(self, answer: str) -> Sequence[Finding]:
        """Return a warning, for a run that changes nothing, if another performer might be changing the fleet."""
        found = self.read(answer)
        if not found:
            return []
        mine = found.left_by(self.performer) and not found.alive
        return [Finding(self.key, "warning", f"{LOCK_LEFT if mine else LOCK_NOTE}{described(found)}")]


def lock_step(performer: str) -> Step:
    """Return the step that asks the lock's host about the lock, in addition to its own steps."""
    return Step("lock", (), (LockState(performer),))


def described(found: Found) -> str:
    """Return in words whose lock it is, since when, and why."""
    claim = found.claim
    if claim is None:
        return f"the record of the fleet's lock is broken ({ROOT}/lock, {long(found.age)} old): {found.text or 'empty'}"
    if found.alive:
        return f"{claim.performer} has been changing the fleet for {long(found.age)}: {claim.what}"
    if claim.hold:
        return f"{claim.performer} has held the fleet for {long(found.age)}: {claim.why}"
    how = "failed, and so did its way back" if claim.stuck else "did not end"
    return f"a run of {claim.performer} that began {long(found.age)} ago {how}: {claim.what} ({claim.run})"


def long(seconds: int) -> str:
    """Return a duration in words."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} days"


def one_line(text: str, longest: int) -> str:
    """Return untrusted text on one line of at most this many characters."""
    return " ".join(text.split())[:longest]
