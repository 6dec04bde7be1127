"""Units: when they are started, restarted, stopped or masked."""

from __future__ import annotations

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.resources.systemd import Masked, Service, Stopped, UnitState, show
from tests.unit.make import only_change, plain
from tests.unit.resources.units import (
    BETWEEN_CRASHES,
    CONTENT,
    GIVEN_UP,
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

NOT_THERE = """\
MainPID=0
NRestarts=0
ExecMainStartTimestamp=
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=
NeedDaemonReload=no
"""


RELOAD = "systemctl daemon-reload\n"


RESET = "systemctl reset-failed airflow@worker.service 2>/dev/null || true\n"


START = RESET + "systemctl start airflow@worker.service"


RESTART = "systemctl restart airflow@worker.service"


STAT = "stat -c 'reads %.Y %s %i %n' /etc/default/airflow /home/astro/airflow-venv 2>/dev/null"


CONTENTS = 'for path in /etc/default/airflow /home/astro/airflow-venv; do content "$path"; done'


INVOCATION = "$(systemctl show -p InvocationID airflow@worker.service)"


RECORD = "/var/lib/aerodrome/started/airflow@worker.service"


@pytest.mark.parametrize(
    "text, state",
    [
        (RUNS, UnitState("loaded", "enabled", "active", "running", 0, False, STARTED, 50, 0, "0123abcd")),
        (BETWEEN_CRASHES, UnitState("loaded", "enabled", "activating", "auto-restart", 1, False, STARTED + 30, 0)),
        (GIVEN_UP, UnitState("loaded", "enabled", "failed", "failed", 5, False, STARTED, 0)),
        (NOT_THERE, UnitState("not-found", "", "inactive", "dead", 0, False, 0, 0)),
        (STALE, UnitState("loaded", "enabled", "active", "running", 0, True, STARTED, 50, 0, "0123abcd")),
        ("", UnitState()),
    ],
)  # fmt: skip
def test_a_unit_as_systemd_tells_it(text: str, state: UnitState) -> None:
    assert UnitState.parse(text) == state


def recorded(start: str) -> str:
    """Return the script that starts SERVICE and records what it was started with."""
    return (
        f"{CONTENT}\nwas={INVOCATION} reads=$({STAT} || true; {CONTENTS})\n{start}\nis={INVOCATION}\n"
        '[ "$is" = "$was" ] || { mkdir -p /var/lib/aerodrome/started && '
        f'(umask 077; printf \'%s\\n\' "$is" "$reads" >{RECORD}.new) && mv {RECORD}.new {RECORD}; }}'
    )


STARTED_ANEW = RESET + recorded("systemctl start airflow@worker.service")


RESTARTED_ANEW = recorded("systemctl restart airflow@worker.service")


def test_the_probes_as_a_whole() -> None:
    asked = (
        "TZ=UTC systemctl show -p LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,"
        "ExecMainStartTimestamp,MainPID airflow@worker.service"
    )
    assert show(UNIT) == Service(UNIT).probe() == Stopped(UNIT).probe() == asked
    assert SERVICE.probe() == (
        f"{asked.replace('MainPID', 'MainPID,InvocationID')}; date +'Now=%s'; {CONTENT}\n{NOTED}\n"
        f"reads=$({STAT}); printf '%s\\n' \"$reads\"\n"
        f"[ ! -r {RECORD} ] || while IFS= read -r line; do printf 'record %s\\n' \"$line\"; "
        f"{IF_CHANGED}; "
        f"done <{RECORD}"
    )


def test_a_unit_that_runs_and_has_read_everything_needs_nothing() -> None:
    times = reads(STARTED, STARTED - 9)
    assert SERVICE.changes(Seen(RUNS + times, frozenset({"file /etc/other"}))) == []


@pytest.mark.parametrize("age, settled", [(-1, True), (0, False), (59, False), (60, True), (9999, True)])
def test_a_unit_that_was_started_just_now_is_not_settled(age: int, settled: bool) -> None:
    assert SERVICE.unsettled(Seen(f"{RUNS}Now={STARTED + age}\n")) is not settled


def test_a_unit_whose_time_was_not_asked_is_settled() -> None:
    assert not SERVICE.unsettled(Seen(RUNS))
    assert UnitState.parse(f"{RUNS}Now={STARTED + 5}\n").now == STARTED + 5


@pytest.mark.parametrize("text", [BETWEEN_CRASHES, GIVEN_UP, NOT_THERE])
def test_a_unit_that_does_not_run_is_started_rather_than_looked_at(text: str) -> None:
    assert not SERVICE.unsettled(Seen(f"{text}Now={STARTED + 31}\n"))


def test_a_unit_that_is_not_there_yet_is_enabled_and_started() -> None:
    assert plain(SERVICE.changes(Seen(NOT_THERE))) == [
        Change(f"enable {UNIT}", f"systemctl enable {UNIT}"),
        Change(f"start {UNIT}", RELOAD + STARTED_ANEW, restarts=UNIT),
    ]


def test_what_comes_before_a_start_comes_before_no_restart() -> None:
    declare = Change("declare the default queue in the broker", "declare")
    service = Service(UNIT, again=True, before=(declare,))
    assert plain(service.changes(Seen(GIVEN_UP))) == [declare, Change(f"start {UNIT}", START, restarts=UNIT)]
    assert only_change(service, RUNS).summary == f"restart {UNIT} (as asked)"


@pytest.mark.parametrize("text", [GIVEN_UP, BETWEEN_CRASHES])
def test_a_unit_that_died_is_started_even_past_its_start_limit(text: str) -> None:
    assert plain(SERVICE.changes(Seen(text))) == [Change(f"start {UNIT}", STARTED_ANEW, restarts=UNIT)]


def test_a_unit_that_runs_but_is_not_enabled_is_not_restarted() -> None:
    change = only_change(SERVICE, RUNS.replace("=enabled", "=disabled"))
    assert (change.script, change.restarts, change.interrupts) == (f"systemctl enable {UNIT}", "", False)


@pytest.mark.parametrize(
    "seen, reason",
    [
        (Seen(RUNS, frozenset({"file /etc/default/airflow"})), "/etc/default/airflow changes"),
        (Seen(RUNS, frozenset({"link /home/astro/airflow-venv"})), "/home/astro/airflow-venv changes"),
        # Killed between the write and the restart: the next run makes good for it.
        (Seen(f"{RUNS}{reads(STARTED + 1)}"), "/etc/default/airflow is newer"),
        # The same, where the clock was set back in between: it was this very start that was recorded.
        (Seen(f"{RUNS}{reads(STARTED - 9)}{record(STARTED)}"), "/etc/default/airflow has changed since its start"),
        (Seen(f"{RUNS}{record(STARTED)}"), "/etc/default/airflow has changed since its start"),  # removed
        # Started anew by hand or by systemd since it was recorded: times have to do.
        (Seen(f"{RUNS}{reads(STARTED + 1)}{record(STARTED, start='other')}"), "/etc/default/airflow is newer"),
        (
            Seen(f"{RUNS}Now={STARTED + 60}\n{reads(STARTED + 9999)}"),
            "/etc/default/airflow has a time in the future: check the host's clock",
        ),
    ],
)
def test_a_unit_that_runs_with_something_old_is_restarted(seen: Seen, reason: str) -> None:
    assert plain(SERVICE.changes(seen)) == [
        Change(f"restart {UNIT} ({reason})", RESTARTED_ANEW, restarts=UNIT, interrupts=True)
    ]


def test_a_unit_whose_unit_file_is_newer_is_restarted() -> None:
    change = Change(f"restart {UNIT} (its unit file is newer)", RELOAD + RESTARTED_ANEW, restarts=UNIT, interrupts=True)
    assert plain(SERVICE.changes(Seen(STALE))) == [change]


@pytest.mark.parametrize("text", [STALE, GIVEN_UP.replace("NeedDaemonReload=no", "NeedDaemonReload=yes")])
def test_unit_files_that_a_killed_run_has_written_are_read_first(text: str) -> None:
    assert only_change(SERVICE, text).script.startswith(RELOAD)


def test_what_a_unit_does_not_read_restarts_nothing() -> None:
    assert Service(UNIT).changes(Seen(RUNS, frozenset({"file /etc/default/airflow", "python environment"}))) == []


def test_a_restart_that_was_asked_for() -> None:
    assert only_change(Service(UNIT, again=True), RUNS).summary == f"restart {UNIT} (as asked)"


def test_a_restart_that_was_asked_for_starts_what_does_not_run() -> None:
    assert only_change(Service(UNIT, again=True), GIVEN_UP).summary == f"start {UNIT}"


def test_a_unit_that_has_died_before_is_not_settled() -> None:
    assert Service(UNIT).unsettled(Seen(RUNS.replace("NRestarts=0", "NRestarts=2")))
    assert not Service(UNIT).unsettled(Seen(RUNS))


@pytest.mark.parametrize("text", [GIVEN_UP, NOT_THERE, ""])
def test_a_unit_that_does_not_run_need_not_be_stopped(text: str) -> None:
    assert Stopped(UNIT).changes(Seen(text)) == []


@pytest.mark.parametrize("text", [RUNS, BETWEEN_CRASHES])
def test_a_unit_that_runs_or_will_is_stopped(text: str) -> None:
    assert plain(Stopped(UNIT).changes(Seen(text))) == [
        Change(f"stop {UNIT}", f"systemctl stop {UNIT}", interrupts=True)
    ]


# Masked


def test_a_unit_is_masked_before_its_package_brings_it() -> None:
    masked = Masked("redis-server.service")
    assert masked.probe() == "systemctl show -p LoadState redis-server.service"
    assert plain(masked.changes(Seen("LoadState=not-found\n"))) == [
        Change("keep redis-server.service from starting by itself", "systemctl mask -q redis-server.service")
    ]


@pytest.mark.parametrize("text", ["LoadState=loaded\n", "LoadState=masked\n", ""])
def test_a_unit_that_is_there_or_masked_is_left_alone(text: str) -> None:
    assert Masked("redis-server.service").changes(Seen(text)) == []
