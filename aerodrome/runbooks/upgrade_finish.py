"""Finish an upgrade of Airflow: drop what it has kept for the way back."""

from __future__ import annotations

from aerodrome.checks.upgrade import Unfinished, Upgrade
from aerodrome.components.backups import place
from aerodrome.components.inputs import Inputs
from aerodrome.components.node import environments
from aerodrome.components.upgrade import for_rehearsal
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.resources.backup import PrunedBackups
from aerodrome.resources.config import ConfigSetAside, NoConfigAside
from aerodrome.resources.exchange import NoDatabase, kept_name
from aerodrome.resources.release import Pruned
from aerodrome.resources.upgrade import Finished
from aerodrome.runbooks.backup import database_host


def finish(inputs: Inputs, upgrade: Upgrade) -> Runbook:
    """Drop the database of before, the rehearsal's backup, surplus environments and airflow.cfg as it was before.

    The record goes last: a run that was killed is repeated.
    """
    host, home = database_host(inputs.fleet), inputs.fleet.airflow.home
    _, (installed,) = environments(inputs)
    aside = ConfigSetAside(f"{home}/airflow.cfg", upgrade.run)
    kept = NoDatabase(kept_name(inputs.fleet.database.name, upgrade.run))
    rehearsal = PrunedBackups(place(for_rehearsal(inputs).fleet), 0)
    drop = {host.name: [Step("upgrade.kept", (kept, rehearsal), (Unfinished(),))]}
    left = {
        node.name: [Step("upgrade.left", (Pruned(installed), NoConfigAside(aside)))] for node in inputs.fleet.nodes()
    }
    end = {host.name: [Step("upgrade.finish", (Finished(upgrade.run),))]}
    parts = (Stage("database", drop, {}), Stage("environments", left, {}), Stage("end", end, {}))
    return Runbook("upgrade.finish", parts, secrets=False)
