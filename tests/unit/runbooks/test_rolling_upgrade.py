"""The stages of an upgrade that leaves the database as it is, and of its way back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.version import HERE, Version
from aerodrome.resources.halted import Halted
from aerodrome.resources.late_link import Linked
from aerodrome.resources.python import Installed
from aerodrome.resources.upgrade import NoUpgradeRecord, UpgradeRecord
from aerodrome.runbooks.rolling_upgrade import back, upgrade
from tests.unit.make import ROLES_OF_FLEET, fleet, inputs
from tests.unit.runbooks.test_upgrade import ENDS, EVERYWHERE, NODES, RUN, gates, order

BEFORE, AFTER = inputs(fleet(version="3.3.1")), inputs(fleet(version="3.3.2"))
# Celery's users stop only where a broker moves.
STILL = [("retire schedulers", ["db1", "web1", "w1", "w2"]), ("stop scheduler", ["s1"]), ("stop workers", ["w1", "w2"])]
RECORD = UpgradeRecord(RUN, "3.3.1", "3.3.2", rolling=True)


def test_units_restart_one_after_another_and_the_web_server_first() -> None:
    parts = upgrade(BEFORE, AFTER, RUN).stages
    assert order(parts) == [
        ("begin", ["db1"]),
        ("machines", EVERYWHERE),
        *STILL,
        ("settings", NODES),
        ("webservers", ["web1"]),
        ("scheduler", ["s1"]),
        ("schedulers", ["s1"]),
        ("workers", ["w1", "w2"]),
        *ENDS,
        ("done", ["db1"]),
    ]
    assert list(gates(parts)) == ["webservers", "scheduler", "schedulers", "workers"]
    steps = {stage.name: stage.steps for stage in parts}
    assert steps["begin"]["db1"][0].resources == (RECORD,)
    assert steps["done"]["db1"][0].resources == (replace(RECORD, done=True),)


def test_on_the_way_back_the_web_server_is_the_last() -> None:
    parts = upgrade(BEFORE, AFTER, RUN).back
    assert order(parts) == [
        ("machines", EVERYWHERE),
        *STILL,
        ("settings", NODES),
        ("workers", ["w1", "w2"]),
        ("schedulers", ["s1"]),
        ("scheduler", ["s1"]),
        ("webservers", ["web1"]),
        *ENDS,
        ("end", ["db1"]),
    ]
    (end,) = parts[-1].steps["db1"]
    assert end.resources == (NoUpgradeRecord(RUN),)
    assert not any(step.requires for stage in parts for steps in stage.steps.values() for step in steps)
    assert order(back(BEFORE, AFTER, RUN).stages) == order(parts)
    assert not any(stage.way_back or stage.commits for stage in (*parts, *upgrade(BEFORE, AFTER, RUN).stages))


@pytest.mark.parametrize("backwards", [False, True])
def test_nothing_stops_and_the_link_is_switched_with_the_settings(backwards: bool) -> None:
    made = upgrade(BEFORE, AFTER, RUN)
    steps = {
        stage.name: stage.steps["w1"] for stage in (made.back if backwards else made.stages) if "w1" in stage.steps
    }
    (installed, _) = next(step for step in steps["machines"] if step.name == "node.install").resources
    assert isinstance(installed, Installed) and set(installed.stays) == {"3.3.1", "3.3.2"} and not installed.run
    assert steps["settings"][0].resources == (Linked(installed),)
    (halted,) = [each for each in steps["stop workers"][0].resources if isinstance(each, Halted)]
    assert [cause for cause in halted.causes if "apache_airflow" in cause.look()] == []


def test_another_version_is_accepted_while_the_database_is_at_it() -> None:
    steps = {stage.name: stage.steps for stage in upgrade(BEFORE, AFTER, RUN).stages}
    (check,) = [check for step in steps["machines"]["s1"] for check in step.requires if isinstance(check, Version)]
    assert check.judge(f"found 3.3.1\n{HERE}") == []


def test_airflow_2_begins_with_the_scheduler() -> None:
    roles = {role: hosts for role, hosts in ROLES_OF_FLEET.items() if role != "dag-processor"}
    before, after = (inputs(fleet(roles, version=version)) for version in ("2.11.0", "2.11.2"))
    names = list(gates(upgrade(before, after, RUN).stages))
    assert names == ["scheduler", "schedulers", "webservers", "workers"]
