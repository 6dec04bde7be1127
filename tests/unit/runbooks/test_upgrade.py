"""The stages of an upgrade, and of its way back."""

from __future__ import annotations

from collections.abc import Sequence

from aerodrome.checks.backups import Backup
from aerodrome.checks.upgrade import DatabaseAnswers
from aerodrome.components.census import drain
from aerodrome.core.stage import Stage
from aerodrome.resources.config import ConfigPutBack, ConfigSetAside
from aerodrome.resources.exchange import Exchanged, ExchangedBack
from aerodrome.resources.halted import Halted
from aerodrome.resources.scratch import NoScratch
from aerodrome.resources.upgrade import CopiedDatabase, NoUpgradeRecord, UpgradeRecord
from aerodrome.runbooks.upgrade import back, rehearse, staging, upgrade
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

RUN, KEPT = "20261201T040850Z-1c08", "airflow_before_20261201t040850z"
OLD_ROLES = {role: hosts for role, hosts in ROLES_OF_FLEET.items() if role != "dag-processor"}
OLD, NEW = inputs(fleet(OLD_ROLES, version="2.11.2")), inputs(fleet(version="3.3.2"))
NODES, EVERYWHERE = ["s1", "web1", "w1", "w2"], ["db1", "s1", "web1", "w1", "w2"]
HALTS = [
    ("stop other schedulers", ["db1", "web1", "w1", "w2"]),
    ("stop scheduler", ["s1"]),
    ("stop workers", EVERYWHERE),
    ("stop others", EVERYWHERE),
]
ENDS = [
    ("retire workers", ["db1", "s1", "web1"]),
    ("retire webservers", ["db1", "s1", "w1", "w2"]),
    ("access", ["db1"]),
    ("leftovers", EVERYWHERE),
]


def order(parts: Sequence[Stage]) -> list[tuple[str, list[str]]]:
    return [(stage.name, list(stage.steps)) for stage in parts]


def gates(parts: Sequence[Stage]) -> dict[str, dict[str, list[str]]]:
    return {
        stage.name: {host: list(gate.subjects) for host, gate in stage.gates.items()} for stage in parts if stage.gates
    }


def test_an_upgrade_drains_backs_up_migrates_a_copy_and_starts_the_web_server_first() -> None:
    parts = upgrade(OLD, NEW, RUN).stages
    assert order(parts) == [
        ("environments", NODES),
        ("begin", ["db1"]),
        *HALTS,
        ("backup", ["db1"]),
        ("copy", ["db1"]),
        ("config", NODES),
        ("machines", EVERYWHERE),
        ("retire schedulers", ["db1", "web1", "w1", "w2"]),
        ("settings", NODES),
        ("migrate", ["s1"]),
        ("webservers", ["web1"]),
        ("scheduler", ["s1"]),
        ("schedulers", ["s1"]),
        ("workers", ["w1", "w2"]),
        *ENDS,
        ("versions", ["s1"]),
        ("done", ["db1"]),
    ]
    assert gates(parts) == {
        "webservers": {"web1": ["webserver"]},
        "scheduler": {"s1": ["scheduler"]},
        "schedulers": {"s1": ["dag-processor", "triggerer"]},
        "workers": {"w1": ["worker"], "w2": ["worker"]},
    }


def test_the_copy_is_migrated_and_the_database_of_before_put_aside() -> None:
    steps = {stage.name: stage.steps for stage in upgrade(OLD, NEW, RUN).stages}
    assert steps["begin"]["db1"][0].resources == (UpgradeRecord(RUN, "2.11.2", "3.3.2"),)
    assert steps["copy"]["db1"][0].resources == (CopiedDatabase("airflow", "airflow", KEPT), Exchanged("airflow", KEPT))
    assert steps["config"]["w1"][0].resources == (ConfigSetAside("/usr/local/airflow/airflow.cfg", RUN),)
    assert steps["done"]["db1"][0].resources == (UpgradeRecord(RUN, "2.11.2", "3.3.2", done=True),)


def test_no_step_of_a_host_is_taken_for_another_one() -> None:
    for parts in (upgrade(OLD, NEW, RUN).stages, upgrade(OLD, NEW, RUN).back):
        for host in EVERYWHERE:
            names = [step.name for stage in parts for step in stage.steps.get(host, ())]
            assert len(names) == len(set(names)), host


def test_the_way_back_leads_to_the_old_version_and_the_database_that_was_put_aside() -> None:
    parts = upgrade(OLD, NEW, RUN).back
    assert order(parts) == [
        *HALTS,
        ("exchange", ["db1"]),
        ("config", NODES),
        ("machines", EVERYWHERE),
        ("retire schedulers", EVERYWHERE),
        ("settings", NODES),
        ("scheduler", ["s1"]),
        ("schedulers", ["s1"]),
        ("webservers", ["web1"]),
        ("workers", ["w1", "w2"]),
        *ENDS,
        ("end", ["db1"]),
    ]
    steps = {stage.name: stage.steps for stage in parts}
    assert steps["exchange"]["db1"][0].resources == (ExchangedBack("airflow", KEPT), NoScratch())
    aside = ConfigSetAside("/usr/local/airflow/airflow.cfg", RUN)
    assert steps["config"]["w1"][0].resources == (ConfigPutBack(aside),)
    assert steps["end"]["db1"][0].resources == (NoUpgradeRecord(RUN),)
    assert gates(parts)["schedulers"] == {"s1": ["triggerer"]}
    held = [(step.name, step.requires) for stage in parts for host in stage.steps.values() for step in host]
    assert [each for each in held if each[1]] == [("upgrade.use", (DatabaseAnswers(),))]
    assert order(back(OLD, NEW, RUN).stages) == order(parts)


def test_no_stage_has_another_way_back() -> None:
    made = upgrade(OLD, NEW, RUN)
    assert not any(stage.way_back or stage.commits for stage in (*made.stages, *made.back))


def test_the_way_back_waits_for_no_queued_task() -> None:
    halts = [step for stage in upgrade(OLD, NEW, RUN).back[:4] for steps in stage.steps.values() for step in steps]
    assert not any(getattr(resource, "wait", None) for step in halts for resource in step.resources)


def test_units_stop_as_the_version_that_runs_needs_it() -> None:
    made = upgrade(OLD, NEW, RUN)
    for parts, running in ((made.stages, OLD), (made.back, NEW)):
        steps = {stage.name: stage.steps for stage in parts}
        (halted,) = [each for each in steps["stop workers"]["w1"][0].resources if isinstance(each, Halted)]
        assert halted.drain == drain(running, HOSTS["w1"], "worker") and halted.drain


def test_a_rehearsal_leaves_nothing_behind() -> None:
    made = rehearse(OLD, NEW, Backup("backup", "ok", "", host="db1", name=RUN), RUN)
    assert order(made.stages) == [
        ("DAGs", ["s1"]),
        ("copy", ["db1"]),
        ("secrets", ["s1"]),
        ("rehearse", ["s1"]),
        ("count", ["db1"]),
        ("end", ["db1"]),
    ]
    drops = [stage.way_back["db1"][0].resources for stage in made.stages[1:-1]]
    assert drops == [(NoScratch(),)] * 4
    assert made.stages[-1].steps["db1"][0].resources == (NoScratch(),)


def test_environments_are_made_ready_on_all_nodes() -> None:
    assert order(staging(NEW).stages) == [("environments", NODES)]
