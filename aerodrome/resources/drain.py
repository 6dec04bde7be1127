"""Stopping a unit that runs tasks: what it waits for is said meanwhile, and what it did not wait for afterwards."""

from __future__ import annotations

from aerodrome.dataclass import dataclass
from aerodrome.resources.base import KILLED, NOTE, WAITING, quote

AGAIN = 30  # seconds between two lines about what a stop still waits for
UNKNOWN = "tasks, if there are any: the metadata database does not say which"

# The unit is stopped, not restarted, for systemd says of a stop how it ended: Result=timeout (systemd.exec(5),
# $SERVICE_RESULT) after TimeoutStopSec=, when all that is left of the unit has been killed. Airflow 3.3.2's worker
# sometimes does not end although its tasks have: nothing is lost then.
_STOP = """\
running_tasks() {{
  {{ {census}
  }} 2>/dev/null || echo '{unknown}'
}}
tasks=$(running_tasks)
[ -z "$tasks" ] || echo "{waiting}$tasks; at most {limit} s"
systemctl stop {unit} &
stop=$! waited=0
while kill -0 $stop 2>/dev/null; do
  sleep 0.2
  waited=$((waited + 1))
  [ $((waited % {looks})) != 0 ] || echo "{waiting}$(running_tasks | grep . || echo '{idle}')"
done
wait $stop
if [ "$(systemctl show -p Result --value {unit})" != success ]; then
  tasks=$(running_tasks)
  if [ -n "$tasks" ]; then echo "{killed}$tasks"; else echo "{note}{hung}"; fi
fi"""


@dataclass(frozen=True)
class Drain:
    """How a unit that runs tasks is stopped.

    `census` is sh that prints, in one line, the tasks that run on the host, and nothing if there are none; `limit` is
    the seconds that they get.
    """

    census: str
    limit: int

    def stop(self, unit: str) -> str:
        """Return sh that stops the unit, tells what it waits for, and what was killed."""
        return _STOP.format(
            census=self.census,
            unit=quote(unit),
            limit=self.limit,
            looks=AGAIN * 5,
            unknown=UNKNOWN,
            idle="the unit to end, of which no task runs any more",
            hung=f"it did not end by itself within {self.limit} s, but no task was lost",
            waiting=WAITING,
            killed=KILLED,
            note=NOTE,
        )
