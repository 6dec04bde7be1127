"""All units of a host, asked for together."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Seen
from aerodrome.resources.systemd import Service
from tests.unit.make import only_change
from tests.unit.resources.units import (
    BETWEEN_CRASHES,
    CONTENT,
    IF_CHANGED,
    NOTED,
    RUNS,
    SERVICE,
    STALE,
    STARTED,
    UNIT,
    reads,
    record,
)

# Several units of a host

BESIDE = ((UNIT, SERVICE.reads), ("other.service", ("/etc/default/airflow", "/etc/other")))


SERVICES = [Service(unit, reads, beside=BESIDE) for unit, reads in BESIDE]


def test_all_units_of_a_host_are_asked_for_at_once() -> None:
    worker, other = SERVICES
    assert worker.probe() == other.probe()
    assert worker.probe() == (
        f"{CONTENT}\n{NOTED}\n"
        "reads=$(stat -c 'reads %.Y %s %i %n' /etc/default/airflow /home/astro/airflow-venv /etc/other 2>/dev/null); "
        "printf '%s\\n' \"$reads\"\n"
        f'for unit in {UNIT} other.service; do [ ! -r /var/lib/aerodrome/started/"$unit" ] || '
        f'while IFS= read -r line; do printf \'%s record %s\\n\' "$unit" "$line"; {IF_CHANGED}; '
        'done </var/lib/aerodrome/started/"$unit"; done\n'
        "echo; TZ=UTC systemctl show -p Id,LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,"
        f"ExecMainStartTimestamp,MainPID,InvocationID {UNIT} other.service; date +'Now=%s'"
    )


def test_of_all_units_each_takes_what_is_its_own() -> None:
    worker, other = SERVICES
    stated = f"{reads(STARTED + 1, STARTED)}reads {STARTED + 9}.5 3 77 /etc/other\n"
    started = f"{record(STARTED + 1, STARTED)}".replace("record ", f"{UNIT} record ")
    states = f"Id={UNIT}\n{RUNS}\nId=other.service\n{BETWEEN_CRASHES}"
    seen = Seen(f"{stated}{started}\n{states}Now={STARTED + 9999}\n")
    assert worker.changes(seen) == []
    assert not worker.unsettled(seen)
    assert [change.summary for change in other.changes(seen)] == ["start other.service"]
    both_run = Seen(f"{stated}{started}\nId={UNIT}\n{RUNS}\nId=other.service\n{STALE}Now={STARTED + 30}\n")
    assert [change.summary for change in worker.changes(both_run)] == []
    assert worker.unsettled(both_run)
    assert only_change(other, both_run.text).summary == (
        "restart other.service (/etc/default/airflow, /etc/other is newer)"
    )


def test_of_all_units_each_is_compared_with_what_it_was_started_with() -> None:
    worker, other = SERVICES
    path = other.reads[0]
    stated = f"reads {STARTED + 5}.5 3 77 {path}\ncontent same {path}\n"
    started = "".join(
        f"{unit} record {line}\n"
        for unit, digest in ((UNIT, "same"), ("other.service", "another"))
        for line in ("InvocationID=0123abcd", f"reads {STARTED}.5 3 66 {path}", f"content {digest} {path}")
    )
    states = "".join(f"\nId={unit}\n{RUNS}" for unit in (UNIT, "other.service"))
    seen = Seen(f"{stated}{started}{states}Now={STARTED + 9999}\n")
    assert worker.changes(seen) == []
    assert only_change(other, seen.text).summary == f"restart other.service ({path} has changed since its start)"


@pytest.mark.parametrize("service", SERVICES)
def test_a_host_that_answers_nothing_about_its_units_has_none(service: Service) -> None:
    assert [change.summary for change in service.changes(Seen(""))] == [
        f"enable {service.unit}",
        f"start {service.unit}",
    ]
