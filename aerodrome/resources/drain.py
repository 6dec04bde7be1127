"""Stop a unit that runs tasks: report what the stop waits for, and afterwards which tasks it killed."""

from __future__ import annotations

from aerodrome.core.resource import KILLED, NOTE, WAITING, Change, Seen, quote
from aerodrome.core.undo import NOTHING
from aerodrome.dataclass import dataclass

# The reports of stops, one file per unit, until a controller is known to have received them; root's own.
RECORDS = "/var/lib/aerodrome/drains"
RUNTIME = "/run/systemd/system"  # until the next boot
DROPIN = "99-aerodrome-stop.conf"  # of the unit that stops
LONGEST = 4000  # bytes of a census, which runs as the service user

AGAIN = 30  # seconds between two lines about what a stop still waits for
UNKNOWN = "tasks, if any: which ones is unknown"

# The limit of hosts.yaml counts, even if the unit still has another one: a drop-in in /run gives it to this stop alone.
# The unit is stopped, not restarted, because systemd records how a stop ended: Result=timeout (systemd.exec(5),
# $SERVICE_RESULT) after TimeoutStopSec=, when the rest of the unit has been killed. Airflow 3.3.2's worker
# sometimes does not end although its tasks have: nothing is lost then.
# If the connection breaks meanwhile, the stop continues, and its record tells the next run what it found.
_STOP = """\
running_tasks() {{
  {{ ( {census}
  ) || echo '{unknown}'; }} 2>/dev/null | head -c {longest}
}}
say() {{ printf '%s\\n' "$1" 2>/dev/null || :; }}
keep() {{ mkdir -p {records}; (umask 077; printf '%s\\n' "$1" >{record}.new); mv {record}.new {record}; }}
trap '' PIPE
tasks=$(running_tasks)
if [ -n "$tasks" ]; then keep "{interrupted} $tasks"; say "{waiting}$tasks; at most {limit} s"; fi{hold}
mkdir -p {dropins}
printf '%s\\n' '[Service]' 'TimeoutStopSec={limit}' >{dropins}/{dropin}
systemctl daemon-reload
systemctl stop {unit} &
stop=$! waited=0
while kill -0 $stop 2>/dev/null; do
  sleep 0.2
  waited=$((waited + 1)){look}
  [ $((waited % {again})) != 0 ] || say "{waiting}$(running_tasks | grep . || echo '{idle}')"
done
wait $stop
lost=
if {cut}; then{after}
  lost=$tasks
  if [ -n "$lost" ]; then keep "{was_killed} $lost"; say "{killed}$lost"; else say "{note}{hung}"; fi
fi
[ -n "$lost" ] || [ ! -e {record} ] || rm {record}
rm {dropins}/{dropin}
systemctl daemon-reload
trap - PIPE"""
# The main process starts nothing new while it is held; what it has started runs on. SIGTERM by systemd lets it go on.
_HOLD = """
main=$(systemctl show -p MainPID --value {unit}) until=$(($(date +%s) + {limit})) looks=0
known() {{ [ -n "$tasks" ] && [ "$tasks" != '{unknown}' ]; }}
! known || kill -STOP "$main"
while known && [ "$(date +%s)" -lt "$until" ]; do
  sleep 1
  tasks=$(running_tasks) looks=$((looks + 1))
  [ -z "$tasks" ] || [ $((looks % 30)) != 0 ] || say "{waiting}$tasks"
done"""
_TIMED_OUT = '[ "$(systemctl show -p Result --value {unit})" != success ]'
INTERRUPTED, WAS_KILLED = "interrupted", "killed"
# Processes are seen before they are killed: what counts is the last look at a unit that had not yet been.
_LOOK = """
  if [ $((waited % 5)) = 0 ]; then
    seen=$(running_tasks)
    [ "$(systemctl show -p SubState --value {unit})" != stop-sigterm ] || tasks=$seen
  fi"""
_AFTER = """
  tasks=$(running_tasks)"""


@dataclass(frozen=True)
class Drain:
    """How a unit that runs tasks is stopped.

    `census` is sh that prints, in one line, the tasks that run on the host, and nothing if there are none; `limit` is
    the seconds that they get. What looks at processes sees nothing any more once they have been killed.
    """

    census: str
    limit: int
    by_processes: bool = False
    holds: bool = False  # its main process does not wait for its tasks: it is held (SIGSTOP) until they have ended

    def stop(self, unit: str) -> str:
        """Return sh that stops the unit, tells what it waits for, and what was killed."""
        return _STOP.format(
            census=self.census,
            unit=quote(unit),
            longest=LONGEST,
            records=RECORDS,
            record=quote(f"{RECORDS}/{unit}"),
            dropins=quote(f"{RUNTIME}/{unit}.d"),
            dropin=DROPIN,
            interrupted=INTERRUPTED,
            was_killed=WAS_KILLED,
            limit=self.limit,
            hold=_HOLD.format(unit=quote(unit), limit=self.limit, waiting=WAITING, unknown=UNKNOWN)
            if self.holds
            else "",
            cut="known" if self.holds else _TIMED_OUT.format(unit=quote(unit)),
            again=AGAIN * 5,
            look=_LOOK.format(unit=quote(unit)) if self.by_processes else "",
            after="" if self.by_processes else _AFTER,
            unknown=UNKNOWN,
            idle="the unit to end, of which no task runs any more",
            hung=f"it did not stop by itself within {self.limit} s, but no task was lost",
            waiting=WAITING,
            killed=KILLED,
            note=NOTE,
        )


def stop_script(unit: str, drain: Drain | None) -> str:
    """Return sh that stops a unit: at once, or as `drain` says of one that runs tasks."""
    return drain.stop(unit) if drain else f"systemctl stop {quote(unit)}"


@dataclass(frozen=True)
class Unreported:
    """The report of a unit's last stop that no controller is known to have received.

    A stop that has killed tasks leaves it behind. The run that hears of it takes it away when it asks the host again,
    and so does the next run where the connection of the first one broke.
    """

    unit: str

    @property
    def key(self) -> str:
        return f"drain of {self.unit}"

    @property
    def _record(self) -> str:
        return quote(f"{RECORDS}/{self.unit}")

    def probe(self) -> str:
        return f"[ ! -r {self._record} ] || head -c {LONGEST + 100} {self._record}"

    def changes(self, seen: Seen) -> list[Change]:
        line = "".join(char if char.isprintable() else " " for char in seen.text.strip())
        how, _, tasks = line.partition(" ")
        if how == WAS_KILLED:
            summary, told = f"a stop of {self.unit} killed {tasks}", KILLED + tasks
        elif how == INTERRUPTED:
            words = f"a stop of {self.unit} was interrupted: the fate of {tasks} is unknown"
            summary, told = words, NOTE + words
        else:
            return []
        script = f"printf '%s\\n' {quote(told)}\nrm -f {self._record}"
        return [Change(f"take note: {summary}", script, undo=NOTHING)]
