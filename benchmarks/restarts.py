"""Restarts of Airflow units, and the times at which each reported itself healthy, according to the hosts' records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from aerodrome.components.component import AirflowRole
from aerodrome.components.registry import components
from aerodrome.components.roles.worker import READY
from benchmarks.measure import Failed
from benchmarks.practice import HOSTS, Practice

STOPPING = "de5b426a63be47a7b6ac3eaac82e2f6f"  # SD_MESSAGE_UNIT_STOPPING, systemd's sd-messages.h
# Logged by the web server once it answers (uvicorn; Airflow 3), and by Celery once it accepts tasks.
WORDS = {"airflow@webserver.service": "Uvicorn running on", "airflow@worker.service": READY}

# Both run as root with $since in seconds. On every host: systemd's lines about stopping a unit, and the words above.
JOURNAL = f"""ask() {{ journalctl -q -o json --since "@$since" "$@"; }}
ask MESSAGE_ID={STOPPING}
{"".join(f"ask -u {unit} | grep -F '{word}'{chr(10)}" for unit, word in WORDS.items())}true"""

# On the database's host: a job's row is created when its process starts working, and is its first heartbeat.
STARTS = """cd / && runuser -u postgres -- psql -XAtq -F ' ' -d airflow <<SQL
SELECT job_type, hostname, extract(epoch FROM start_date) FROM job WHERE extract(epoch FROM start_date) > $since
SQL"""


@dataclass(frozen=True)
class Event:
    """A unit's times, in seconds since the epoch, by the clock that all practice hosts share."""

    host: str
    unit: str
    when: float


@dataclass(frozen=True)
class Restart:
    """A unit that was stopped, and became healthy again."""

    host: str
    unit: str
    stopping: float
    healthy: float


def restarts(fleet: Practice, since: float) -> list[Restart]:
    """Return all restarts since a time, in order of their start."""
    stops: list[Event] = []
    ups = job_starts(_run(fleet, "db1", STARTS, since))
    for host in HOSTS:
        for event, stops_it in journal(host, _run(fleet, host, JOURNAL, since)):
            (stops if stops_it else ups).append(event)
    return pair(stops, ups)


def _run(fleet: Practice, host: str, script: str, since: float) -> str:
    done = fleet.lab.run(host, f"since={since:.0f}\n{script}")
    if done.returncode:
        raise Failed(f"{host}: its restarts cannot be read: {done.stderr.strip()}")
    return done.stdout


def journal(host: str, text: str) -> Iterator[tuple[Event, bool]]:
    """Yield the events that JOURNAL printed, each with whether it is the unit's stop."""
    for line in text.splitlines():
        entry = json.loads(line)
        when = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
        if entry.get("MESSAGE_ID") == STOPPING:
            if entry["UNIT"].startswith("airflow@"):
                yield Event(host, entry["UNIT"], when), True
        else:
            yield Event(host, entry["_SYSTEMD_UNIT"], when), False


def job_starts(text: str) -> list[Event]:
    """Return the starts that STARTS printed."""
    roles = [each for each in components().values() if isinstance(each, AirflowRole) and each.job]
    units = {role.job: f"airflow@{role.name}.service" for role in roles}
    rows = [line.split() for line in text.splitlines()]
    return [Event(host, units[kind], float(when)) for kind, host, when in rows if kind in units]


def pair(stops: Iterable[Event], ups: Sequence[Event]) -> list[Restart]:
    """Return each stop with the unit's first healthy time after it; raises Failed if there is none."""
    found = []
    for stop in sorted(stops, key=lambda event: event.when):
        later = [up.when for up in ups if (up.host, up.unit) == (stop.host, stop.unit) and up.when > stop.when]
        if not later:
            raise Failed(f"{stop.host}: {stop.unit} stopped, and does not say that it is up again")
        found.append(Restart(stop.host, stop.unit, stop.when, min(later)))
    return found
