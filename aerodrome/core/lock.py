"""The fleet's lock: one run at a time changes the fleet. The script that holds it, and what it prints.

A process on one host holds a flock for as long as the run's channel is open and the run shows that it is alive: that
says whether a run is alive, whatever has become of its controller. Beside it, root keeps a record on disk of whose lock
it is. It goes with an orderly end, so one that is left without a flock is that of a run that was killed, or a hold.
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

LOST = 60  # seconds without a sign of life from the run, after which the script gives the flock up
TAKEN, HELD, FOUND, UNRECORDED, LEFT = "@taken", "@held", "@found", "@unrecorded", "@left"
TIMED_OUT, REFUSED, UNWRITABLE = 75, 76, 74
TAKE, EVENT, RECORD, LEAVE, STAY = "take", "event", "record", "leave", "stay"  # what the run says on descriptor 3

ROOT = "/var/lib/aerodrome"
HISTORY = f"{ROOT}/history"
KEPT = 500  # records of runs
LONGEST_RECORD = 4000  # bytes of the lock's record that are read

LOCK_NOTE = "the fleet's lock: "  # begins the note of a run that needs no lock

# Prints how old the record is, in seconds, and the record, on one line.
_RECORD = f"""\
printf '%s ' $(($(date +%s) - $(stat -c %Y {ROOT}/lock)))
printf '%s\\n' "$(head -c {LONGEST_RECORD} {ROOT}/lock | tr '\\n\\0' '  ')"
"""

# The file in /run is the lock. Its time says when a run last took the lock or gave it back: a run that asked its hosts
# before that asks them again. It is never removed, for two runs could then lock two files.
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
mkdir -p {history} && rm -f {history}/*.new && printf '%s\\n' {start} | whole "$log" || exit {unwritable}
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
    """Whose lock it is. `hold` is set where nobody is at work: nothing may change until it is released."""

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
    """A record of the lock that a host has shown; without a `claim` it is broken, and `text` is what is there.

    `age` is in seconds by the clock of the host.
    """

    claim: Claim | None
    age: int
    text: str = ""
    alive: bool = False  # a run is at work


def lock_script(claim: Claim, start: str, patience: int) -> str:
    """Return sh that takes the lock, waiting at most `patience` seconds, and holds it while its descriptor 3 lives.

    `start` is the first line of the run's record in the history, one line of JSON in ASCII, as is all that follows.

    It prints `@held AGE RECORD` if another run holds the lock, and `@found AGE RECORD` if a run has left its record
    (`@found` alone after a wait): then it goes on only if it reads the line `take`. It prints `@taken AGE` once the
    lock is its own, where AGE is the seconds since a run last took or released it. From then on it reads lines:
    `event SIZE` and `record SIZE`, each followed by so many bytes, add to the history and replace the record; `leave`
    and `stay` release the lock, with its record and without. All other lines are signs of life. It prints
    `@unrecorded` if it could not write, `@left` at an orderly end. It exits with 75 if it has waited in vain, with 76
    if it was not told to take, with 74 if it could write no record: then it does not have the lock.
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
    """Read `AGE RECORD`; a record that makes no sense is a broken one."""
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
    """Read a line `@taken AGE`.

    Raises AerodromeError if that is not what it is.
    """
    if found := re.fullmatch(rf"{TAKEN} (-?\d{{1,15}})", line, re.ASCII):
        return int(found[1])
    raise AerodromeError(f"the fleet's lock: unexpected answer {line[:100]!r}")


@dataclass(frozen=True)
class LockState:
    """A question to the host that keeps the fleet's lock: whose is it? It costs no process if nobody has it."""

    key = "fleet lock"

    def probe(self) -> str:
        """Return sh that prints `alive` or `left` and then the record, or nothing if the lock is free."""
        alive = "[ -e /run/aerodrome/fleet.lock ] && ! flock -n -s /run/aerodrome/fleet.lock true"
        return f"[ ! -e {ROOT}/lock ] || {{\nif {alive}; then echo alive; else echo left; fi\n{_RECORD}}}"

    def read(self, answer: str) -> Found | None:
        """Return the record that a host has shown; None if the lock is free."""
        first, _, rest = answer.strip().partition("\n")
        return read_found(rest, first == "alive") if first else None

    def judge(self, answer: str) -> Sequence[Finding]:
        """Return a warning, for a run that changes nothing, if somebody else might."""
        found = self.read(answer)
        return [Finding(self.key, "warning", f"{LOCK_NOTE}{described(found)}")] if found else []


# What the host that keeps the lock is asked beside its own steps.
LOCK_STEP = Step("lock", (), (LockState(),))


def described(found: Found) -> str:
    """Say whose lock it is, since when, and why."""
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
    """Write a duration as people do."""
    for limit, unit, size in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds // size} {unit}"
    return f"{seconds // 86_400} days"


def one_line(text: str, longest: int) -> str:
    """Return a text that somebody else has written on one line of at most so many characters."""
    return " ".join(text.split())[:longest]
