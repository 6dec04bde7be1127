"""The stages that drop what an upgrade has kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.kept_upgrade import KeptUpgrade
from aerodrome.checks.upgrade import Unfinished, Upgrade
from aerodrome.core.resource import Seen
from aerodrome.resources.backup import Place, PrunedBackups
from aerodrome.resources.config import ConfigSetAside, NoConfigAside
from aerodrome.resources.exchange import NoDatabase
from aerodrome.resources.release import Pruned
from aerodrome.resources.upgrade import Finished
from aerodrome.runbooks.deploy import deploy
from aerodrome.runbooks.upgrade_finish import finish
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs, only_change

RUN, KEPT = "20261201T040850Z-1c08", "airflow_before_20261201t040850z"
FINISHED = Finished(RUN)


def test_the_record_goes_last() -> None:
    upgrade = Upgrade("upgrade", "ok", "done", run=RUN, before="2.11.2", after="3.3.2", done=True)
    database, environments, end = finish(inputs(fleet(version="3.3.2")), upgrade).stages
    (kept,) = database.steps["db1"]
    assert kept.requires == (Unfinished(),)
    rehearsal = PrunedBackups(Place("/var/lib/aerodrome/backups/rehearsal"), 0)
    assert kept.resources == (NoDatabase(KEPT), rehearsal)
    assert list(environments.steps) == ["s1", "web1", "w1", "w2"]
    pruned, aside = environments.steps["w1"][0].resources
    assert isinstance(pruned, Pruned)
    assert aside == NoConfigAside(ConfigSetAside("/usr/local/airflow/airflow.cfg", RUN))
    assert end.steps["db1"][0].resources == (FINISHED,)


def test_only_the_record_of_this_upgrade_is_removed_and_only_once_it_is_done() -> None:
    assert only_change(FINISHED, f"{RUN} 2.11.2 3.3.2 done\n").script == (
        "rm -f /var/lib/aerodrome/upgrade.previous /var/lib/aerodrome/upgrade"
    )


@pytest.mark.parametrize("line", ["", f"{RUN} 2.11.2 3.3.2 begun\n", "20261101T040850Z-1c08 1.10.10 2.11.2 done\n"])
def test_another_record_stays(line: str) -> None:
    assert FINISHED.changes(Seen(line)) == []


def test_an_airflow_cfg_that_was_set_aside_is_removed() -> None:
    resource = NoConfigAside(ConfigSetAside("/srv/airflow/airflow.cfg", RUN))
    change = only_change(resource, "aside\n")
    assert change.script.endswith(f"\nrm -f /srv/airflow/airflow.cfg.before-{RUN}")
    assert change.script.startswith("[ -O /srv/airflow ] || ")
    assert resource.changes(Seen("")) == []


def test_a_deploy_notes_what_is_kept_and_refuses_in_the_middle_of_an_upgrade() -> None:
    given = inputs(fleet())
    for managed, checks in ((True, (Unfinished(), KeptUpgrade("airflow"))), (False, (Unfinished(),))):
        database = replace(given.fleet.database, managed=managed)
        made = deploy(replace(given, fleet=replace(given.fleet, database=database)), list(HOSTS), list(ROLES_OF_FLEET))
        steps = next(stage.steps["db1"] for stage in made.stages if stage.name == "machines")
        assert steps[0].requires == checks
