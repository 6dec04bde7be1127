"""Take back what a run has changed, host by host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.components.health import RoleHealth
from aerodrome.core.entries import states_script, take_back_script
from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import Entry
from aerodrome.errors import AerodromeError, FleetError
from aerodrome.resources.taken_back import TakenBack
from aerodrome.runbooks.undo import check_versions, undo
from tests.unit.make import HOSTS, inputs, only_change

RUN = "20261124T181500Z-1f3a"
NO_WAY = Entry("0001", 1, "machines", "node.packages", "packages x", "install x", "")
FILE = Entry("0002", 1, "machines", "node.environment", "file /e", "write /e", "put back /e", "-b\n+a", "f", "a", "b")
DROPIN = Entry("0003", 2, "workers", "roles.worker", "file /d", "write /d", "put back /d", "", "d", "a", "b")
UNIT = "airflow@worker.service"
RESTART = Entry(
    "0004", 2, "workers", "roles.worker", f"unit {UNIT}", "restart it", "restart it", "", "r", "current", "outdated",
    ("/e",), True, UNIT, True,
)  # fmt: skip
ENTRIES = (NO_WAY, FILE, DROPIN, RESTART)


def test_stages_go_back_from_the_last_and_units_restart_at_the_end() -> None:
    given = inputs()
    runbook = undo(given, ["w1", "db1", "w2"], [], RUN, {"w1": ENTRIES, "db1": ENTRIES[:2], "w2": ()}, force=True)
    assert runbook.name == f"undo of {RUN}"
    assert [(each.name, list(each.steps), list(each.gates)) for each in runbook.stages] == [
        ("undo 2: workers", ["w1"], []),
        ("undo 1: machines", ["w1", "db1"], []),
        ("restart 2: workers", ["w1"], ["w1"]),
    ]
    assert runbook.stages[2].gates["w1"] == RoleHealth(given, HOSTS["w1"], ("worker",))
    (step,) = runbook.stages[1].steps["db1"]
    assert step.resources == (TakenBack(RUN, FILE, ENTRIES[:2], True),)


def test_only_picked_hosts_take_part() -> None:
    runbook = undo(inputs(), ["db1"], [], RUN, {"w1": ENTRIES, "db1": ENTRIES[:2]})
    assert [list(each.steps) for each in runbook.stages] == [["db1"]]


def test_a_change_that_is_taken_back_as_a_whole() -> None:
    wanted = TakenBack(RUN, FILE, ENTRIES)
    assert (wanted.key, wanted.probe()) == ("file /e", states_script(RUN, ["0002", "0003", "0004"]))
    assert wanted.changes(Seen("0002 b\n0003 b\n0004 current\n")) == [
        Change("put back /e", take_back_script(RUN, FILE, False), "-b\n+a")
    ]
    assert wanted.changes(Seen("0002 a\n0003 b\n0004 current\n")) == []


def test_a_unit_restarts_with_what_it_reads() -> None:
    wanted = TakenBack(RUN, RESTART, ENTRIES)
    change = only_change(wanted, "0002 b\n0003 b\n0004 current\n")
    assert (change.restarts, change.interrupts) == (UNIT, True)
    assert wanted.changes(Seen("0002 a\n0003 a\n0004 current\n")) == []


@pytest.mark.parametrize("answer", ["0002 c\n", "", "\x1b[2J\n", "0002\n"])
def test_what_has_been_changed_since_is_refused_unless_forced(answer: str) -> None:
    with pytest.raises(AerodromeError, match="^file /e has been changed since that run$"):
        TakenBack(RUN, FILE, ENTRIES).changes(Seen(answer))
    forced = replace(TakenBack(RUN, FILE, ENTRIES), force=True)
    assert only_change(forced, answer).script == take_back_script(RUN, FILE, True)


def test_a_run_that_changed_the_version_is_not_taken_back() -> None:
    venvs = "/opt/aerodrome/airflow/venvs"
    first, lock, other = (f"{venvs}/{name}" for name in ("2.11.2-py3.11-aa", "2.11.2-py3.11-bb", "3.3.2-py3.11-cc"))

    def link(before: str, left: str) -> Entry:
        return replace(FILE, step="node.install", resource="link", before=before, left=left)

    check_versions({"w1": [link(first, lock), link("none", first), FILE]})
    with pytest.raises(FleetError) as caught:
        check_versions({"w1": [FILE, link(lock, other)], "db1": [FILE]})
    (error,) = caught.value.failures
    assert (error.host, error.step) == ("w1", "node.install")
    assert error.message == "that run changed Airflow 2.11.2 to 3.3.2, and migrated the database"
