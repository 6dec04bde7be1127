"""The fleet's lock: one run at a time changes the fleet. The script that holds it, and what it prints.

A process on one host holds a flock for as long as the run's channel is open and the run shows that it is alive, so
there is nothing to clean up after a controller that was killed, unplugged or put to sleep.
"""

from __future__ import annotations

import re

from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import PRELUDE, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

LOST = 60  # seconds without a sign of life from the run, after which the script gives the lock up
TAKEN, HELD = "@taken", "@held"
TIMED_OUT = 75

# The file is the lock and its record. Its time says when a run last took the lock or gave it back: a run that asked its
# hosts before that asks them again. It is never removed, for two runs could then lock two files.
_SCRIPT = """\
{prelude}{runtime}umask 077
record=/run/aerodrome/fleet.lock
[ -e $record ] || touch -d @0 $record
exec 9>>$record
flock -n 9 || {{
  [ -s $record ] || sleep 0.3 # it is being written
  printf '{held} %s %s\\n' "$(date +%s)" "$(head -c 1000 $record)"
  flock -w {patience} 9
}} || exit {timed_out}
changed=$(stat -c %Y $record)
: >$record
printf '%s %s' "$(date +%s)" {holder} >&9
printf '{taken} %s\\n' $(($(date +%s) - changed))
# Its children do not have descriptor 9: if this shell is killed, the lock is free at once.
while [ -n "$(exec 9>&-; timeout {lost} head -c 1 <&3)" ]; do :; done
: >$record
"""


@dataclass(frozen=True)
class Holder:
    """Whose lock it is; `seconds` is how long they have held it, by the clock of the host."""

    who: str
    seconds: int


def lock_script(holder: str, patience: int) -> str:
    """Return sh that takes the lock, waiting at most `patience` seconds, and holds it while its descriptor 3 lives.

    It prints `@held NOW SINCE WHO` if another run holds the lock, then `@taken AGE` once the lock is its own, where AGE
    is the seconds since a run last took or released it. It exits with 75 if it has waited in vain.
    """
    return _SCRIPT.format(
        prelude=PRELUDE,
        runtime=RUNTIME,
        patience=patience,
        holder=quote(holder),
        taken=TAKEN,
        held=HELD,
        timed_out=TIMED_OUT,
        lost=LOST,
    )


def read_holder(line: str) -> Holder:
    """Read a line `@held NOW SINCE WHO`; a record that is being written may be empty."""
    if found := re.fullmatch(rf"{HELD} (\d{{1,15}}) (\d{{1,15}}) (.+)", line, re.ASCII):
        return Holder(found[3], max(0, int(found[1]) - int(found[2])))
    return Holder("another run", 0)


def read_age(line: str) -> int:
    """Read a line `@taken AGE`.

    Raises AerodromeError if that is not what it is.
    """
    if found := re.fullmatch(rf"{TAKEN} (-?\d{{1,15}})", line, re.ASCII):
        return int(found[1])
    raise AerodromeError(f"the fleet's lock: unexpected answer {line[:100]!r}")
