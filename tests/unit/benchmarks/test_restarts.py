import json

import pytest

from benchmarks.measure import Failed
from benchmarks.restarts import JOURNAL, STOPPING, Event, Restart, job_starts, journal, pair

SCHEDULER, WORKER = "airflow@scheduler.service", "airflow@worker.service"


def test_the_journal_is_asked_for_stops_and_for_what_units_say_when_they_are_up() -> None:
    assert JOURNAL == (
        'ask() { journalctl -q -o json --since "@$since" "$@"; }\n'
        "ask MESSAGE_ID=de5b426a63be47a7b6ac3eaac82e2f6f\n"
        "ask -u airflow@webserver.service | grep -F 'Uvicorn running on'\n"
        "ask -u airflow@worker.service | grep -F ' ready.'\n"
        "true"
    )


def test_stops_are_systemds_words_and_all_else_is_the_units_own() -> None:
    # As journalctl -o json printed them, shortened.
    entries = [
        {"MESSAGE_ID": STOPPING, "UNIT": WORKER, "_SYSTEMD_UNIT": "init.scope", "__REALTIME_TIMESTAMP": "1500000"},
        {"MESSAGE_ID": STOPPING, "UNIT": "ssh.service", "__REALTIME_TIMESTAMP": "1600000"},
        {"MESSAGE": "celery@worker1 ready.", "_SYSTEMD_UNIT": WORKER, "__REALTIME_TIMESTAMP": "9000000"},
    ]
    found = list(journal("worker1", "".join(f"{json.dumps(entry)}\n" for entry in entries)))
    assert found == [(Event("worker1", WORKER, 1.5), True), (Event("worker1", WORKER, 9.0), False)]


def test_jobs_are_units_by_their_kind() -> None:
    printed = "SchedulerJob sched1 1795404223.000686\nTriggererJob sched1 1795404237.808586\nLocalTaskJob worker1 1.0\n"
    assert job_starts(printed) == [
        Event("sched1", SCHEDULER, 1795404223.000686),
        Event("sched1", "airflow@triggerer.service", 1795404237.808586),
    ]


def test_a_stop_goes_with_the_first_time_after_it_that_the_same_unit_was_up() -> None:
    stops = [Event("worker2", WORKER, 30), Event("worker1", WORKER, 10)]
    ups = [Event("worker1", WORKER, when) for when in (5, 40, 20)] + [Event("worker2", WORKER, 38)]
    assert pair(stops, ups) == [Restart("worker1", WORKER, 10, 20), Restart("worker2", WORKER, 30, 38)]


def test_a_unit_that_does_not_come_back_is_reported() -> None:
    with pytest.raises(Failed, match="worker1: airflow@worker.service stopped, and does not say that it is up again"):
        pair([Event("worker1", WORKER, 10)], [Event("worker1", WORKER, 5), Event("worker2", WORKER, 20)])
