"""Stopping a unit that runs tasks: what it waits for is said meanwhile, and what it did not wait for afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.resources.base import KILLED, NOTE, WAITING, quote

AGAIN = 30  # seconds between two lines about what a stop still waits for
UNKNOWN = "tasks, if there are any: it cannot be told which"

# The unit is stopped, not restarted, for systemd says of a stop how it ended: Result=timeout (systemd.exec(5),
# $SERVICE_RESULT) after TimeoutStopSec=, when all that is left of the unit has been killed. Airflow 3.3.2's worker
# sometimes does not end although its tasks have: nothing is lost then.
_STOP = """\
running_tasks() {{
  ( {census}
  ) 2>/dev/null || echo '{unknown}'
}}
tasks=$(running_tasks)
[ -z "$tasks" ] || echo "{waiting}$tasks; at most {limit} s"
systemctl stop {unit} &
stop=$! waited=0
while kill -0 $stop 2>/dev/null; do
  sleep 0.2
  waited=$((waited + 1)){look}
  [ $((waited % {again})) != 0 ] || echo "{waiting}$(running_tasks | grep . || echo '{idle}')"
done
wait $stop
if [ "$(systemctl show -p Result --value {unit})" != success ]; then{after}
  if [ -n "$tasks" ]; then echo "{killed}$tasks"; else echo "{note}{hung}"; fi
fi"""
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

    def stop(self, unit: str) -> str:
        """Return sh that stops the unit, tells what it waits for, and what was killed."""
        return _STOP.format(
            census=self.census,
            unit=quote(unit),
            limit=self.limit,
            again=AGAIN * 5,
            look=_LOOK.format(unit=quote(unit)) if self.by_processes else "",
            after="" if self.by_processes else _AFTER,
            unknown=UNKNOWN,
            idle="the unit to end, of which no task runs any more",
            hung=f"it did not end by itself within {self.limit} s, but no task was lost",
            waiting=WAITING,
            killed=KILLED,
            note=NOTE,
        )
