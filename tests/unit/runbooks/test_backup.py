"""Backups, drills and restores: which stages, and what is taken back if one fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.backups import Backup
from aerodrome.checks.releases import Release
from aerodrome.components.backups import backed_up, broker, copied, decrypted, fingerprints, version_in_use
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Broker, Database
from aerodrome.resources.backup import HEAD, HEADS, OPTIONS, TABLES, About, MadeBackup, Place, PrunedBackups
from aerodrome.resources.exchange import Exchanged, ExchangedBack, NoDatabase
from aerodrome.resources.halted import Resumed
from aerodrome.resources.scratch import Decrypted, DrillRecord, NoScratch, Restored
from aerodrome.runbooks.backup import backup, pick
from aerodrome.runbooks.restore import check_version, drill, prune, restore
from aerodrome.secrets import Secret
from tests.unit.components.test_status import Hosts
from tests.unit.make import ROLES_OF_FLEET, fleet, inputs, parameters

NAME, RUN = "20261201T005031Z-1f3a", "20261201T010000Z-00ff"
PLACE = Place("/var/lib/aerodrome/backups")
BACKUP = Backup(
    "backup", "ok", "whole", host="db1", name=NAME, bytes=3, sha256="a" * 64, airflow="3.3.2", size=30, heads=("d2f4",)
)
ELSEWHERE = fleet(
    roles={**ROLES_OF_FLEET, "database": ()}, database=Database(managed=False, host="pg", password=Secret("x"))
)


def test_a_backup_is_made_on_the_host_of_the_database() -> None:
    given = inputs()
    (stage,) = backup(given, ["db1", "s1"], [], NAME, "3.3.2").stages
    about = About("3.3.2", fingerprints(given), "database airflow_celery")
    assert stage.steps == {
        "db1": [Step("backup", (MadeBackup(PLACE, NAME, "airflow", about), PrunedBackups(PLACE, 7)))]
    }
    assert stage.steps["db1"] == [backed_up(given, NAME, "3.3.2")]
    assert backup(given, ["s1"], [], NAME, "").stages == ()


def test_a_database_that_is_managed_elsewhere_is_backed_up_by_the_scheduler_and_restored_by_others() -> None:
    given = inputs(ELSEWHERE)
    (stage,) = backup(given, ["s1", "w2"], [], NAME, "3.3.2").stages
    (step,) = stage.steps["s1"]
    made, pruned = step.resources
    assert isinstance(made, MadeBackup) and pruned == PrunedBackups(PLACE, 7)
    about = About("3.3.2", fingerprints(given), broker(given))
    assert made == MadeBackup(PLACE, NAME, "airflow", about, made.program)
    program, _, end = made.program.partition("<<'END_OF_FILE'\n")[2].partition("END_OF_FILE\n")
    assert end == ""
    assert parameters(program) == {
        "variable": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "public": ["airflow", "airflow", "pg", "5432", "postgresql"],
        "heads": list(HEADS),
        "tables": list(TABLES),
        "options": OPTIONS,
        "head": HEAD,
    }
    (stage,) = backup(given, ["s1"], [], NAME, "3.3.2", prune=False).stages
    assert [each.key for each in stage.steps["s1"][0].resources] == [f"backup {NAME}"]
    (stage,) = prune(given, ["s1"], []).stages
    assert stage.steps == {"s1": [Step("backups.prune", (PrunedBackups(PLACE, 7),))]}
    with pytest.raises(InvalidInput, match="database.managed is false, so whoever manages the database has to restore"):
        drill(given, ["s1"], [], BACKUP, RUN)


def test_fingerprints_tell_keys_apart_and_do_not_show_them() -> None:
    one, other = "A" * 43 + "=", "_-" + "B" * 41 + "="
    found = fingerprints(inputs(fernet_key=Secret(f"{one},{other}")))
    assert found == (fingerprints(inputs(fernet_key=Secret(one)))[0], fingerprints(inputs(fernet_key=Secret(other)))[0])
    assert len(set(found)) == 2 and all(len(each) == 16 for each in found)
    # Python reads + and / too.
    assert fingerprints(inputs(fernet_key=Secret(other.replace("_-", "/+"))))[0] == found[1]
    assert fingerprints(inputs(fernet_key=None)) == ()


def test_where_messages_are() -> None:
    assert broker(inputs(fleet(broker=Broker(separate=False)))) == "this database"
    assert broker(inputs(fleet(version="2.11.2"))) == "this database"
    assert broker(inputs(fleet(roles={**ROLES_OF_FLEET, "redis": ("db1",)}))) == "elsewhere"
    assert broker(inputs(fleet(executor="LocalExecutor", roles={**ROLES_OF_FLEET, "worker": ()}))) == "none"


def test_the_version_is_that_of_the_environment_in_use() -> None:
    old = Release("environment", "ok", "", host="s1", name="2.11.2-py3.11-00", put=1, state="older")
    now = replace(old, name="3.3.2-py3.11-ff", state="in use")
    assert version_in_use(inputs(), Hosts({("HeldReleases", "s1"): [old, now]})) == "3.3.2"
    assert version_in_use(inputs(), Hosts({("HeldReleases", "s1"): []})) == ""
    assert version_in_use(inputs(), Hosts({})) == ""


def test_a_drill_and_what_it_takes_back() -> None:
    given = inputs()
    copy, secrets, record = drill(given, [], [], BACKUP, RUN).stages
    assert [step.name for step in copy.steps["db1"]] == ["database.access", "restore.copy"]
    facts = ("alembic_version|d2f4",)
    restored = Restored(PLACE, NAME, "a" * 64, 30, facts, "airflow", "airflow", 5432, RUN)
    assert copy.steps["db1"][-1] == copied(given, BACKUP, RUN) == Step("restore.copy", (restored,))
    assert secrets.steps == {"s1": [decrypted(given, RUN)]}
    assert record.steps == {"db1": [Step("drill.end", (NoScratch(), DrillRecord(PLACE, NAME, RUN, True)))]}
    undo = {"db1": [Step("drill.undo", (DrillRecord(PLACE, NAME, RUN, False), NoScratch()))]}
    assert copy.way_back == secrets.way_back == record.way_back == undo


def test_secrets_are_read_by_a_node_with_the_login_of_the_metadata_database() -> None:
    (resource,) = decrypted(inputs(), RUN).resources
    assert isinstance(resource, Decrypted)
    assert parameters(resource.program) == {
        "database": "aerodrome_scratch",
        "keys": "AIRFLOW__CORE__FERNET_KEY",
        "shown": 10,
        "seconds": 60,
        "variable": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "public": ["airflow", "airflow", "10.0.0.1", "5432", "postgresql"],
    }
    assert "-p User=astro" in resource.program and "airflow-scheduler" in resource.program


def test_a_restore_and_what_each_stage_takes_back() -> None:
    stages = restore(inputs(), [], [], BACKUP, RUN).stages
    assert [stage.name for stage in stages] == [
        "copy", "secrets",
        "stop scheduler", "stop worker", "stop webserver", "stop triggerer", "stop dag-processor", "stop leftovers",
        "exchange",
        "scheduler", "schedulers", "webservers", "workers",
    ]  # fmt: skip
    by_name = {stage.name: stage for stage in stages}
    before = "airflow_before_20261201t010000z"
    (copy,) = by_name["copy"].steps["db1"][-1].resources
    assert isinstance(copy, Restored) and copy.settle
    assert by_name["copy"].way_back == {"db1": [Step("restore.undo", (NoScratch(),))]}
    assert by_name["exchange"].steps == {"db1": [Step("restore.use", (Exchanged("airflow", before),))]}
    back = Step("restore.back", (ExchangedBack("airflow", before), NoScratch()))
    assert by_name["exchange"].way_back == {"db1": [back]}
    again = by_name["stop worker"].way_back
    assert again["w1"] == [Step("restore.start", (Resumed("airflow@worker.service"),))]
    assert [each.key for each in again["s1"][0].resources] == [
        "unit airflow@scheduler.service", "unit airflow@dag-processor.service", "unit airflow@triggerer.service"
    ]  # fmt: skip
    halt = by_name["workers"].way_back
    assert [step.name for step in halt["s1"]] == [
        "stop.roles.triggerer", "stop.roles.dag-processor", "stop.roles.scheduler"
    ]  # fmt: skip
    # What stops a unit is not taken for what starts it later.
    names = [step.name for stage in stages for step in stage.steps.get("w1", ())]
    assert names.count("roles.worker") == 1 and "stop.roles.worker" in names


def test_a_name_that_is_too_long_to_be_kept() -> None:
    long = inputs(fleet(database=Database(name="d" * 40)))
    with pytest.raises(InvalidInput, match="database.name: .* is longer than 63 characters"):
        restore(long, [], [], BACKUP, RUN)


def test_a_backup_of_another_version_is_refused() -> None:
    check_version(BACKUP, "3.3.2")
    check_version(BACKUP, "")
    check_version(Backup(**{**BACKUP.__dict__, "airflow": ""}), "3.3.2")
    with pytest.raises(InvalidInput, match="is of Airflow 3.3.2, but 2.11.2 is in use"):
        check_version(BACKUP, "2.11.2")


def test_pruning() -> None:
    (stage,) = prune(inputs(), ["db1"], [], ["airflow_before_20261201t010000z"]).stages
    parts = (NoDatabase("airflow_before_20261201t010000z"), PrunedBackups(PLACE, 7))
    assert stage.steps == {"db1": [Step("backups.prune", parts)]}


OLDER = Backup(**{**BACKUP.__dict__, "name": "20261130T005031Z-00ff"})
BROKEN = Backup("backup", "failed", "its manifest cannot be read", host="db1", name="20261202T005031Z-abcd")
DOWN = Backup("backup", "failed", "is down", host="db1")


def test_the_newest_or_the_one_that_is_named() -> None:
    assert pick([BROKEN, BACKUP, OLDER]) == BACKUP
    assert pick([BROKEN, BACKUP, OLDER], "00ff") == OLDER


@pytest.mark.parametrize(
    "rows, part, message",
    [
        ([], "", "there is no backup that can be used"),
        ([BROKEN], "", "there is no backup that can be used"),
        ([DOWN], "", "the backups cannot be read: is down"),
        ([DOWN], "1f3a", "the backups cannot be read: is down"),
        ([BACKUP], "x", "there is no backup called x"),
        ([BACKUP, OLDER], "T005031Z", f"T005031Z may be {NAME}, {OLDER.name}"),
        ([BROKEN], "abcd", "cannot be used: its manifest cannot be read"),
    ],
)
def test_what_cannot_be_picked(rows: list[Backup], part: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        pick(rows, part)
