"""Upgrade Airflow: made ready and rehearsed while everything runs, then drained, backed up, migrated and started.

An upgrade is a deploy of the other version, with a backup, a copy of the database and its migration after everything
has stopped. The copy is what is migrated: the database of before is put aside and never touched by the new version, so
the way back is two renames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aerodrome.catalogue.upgrade import leaves_unversioned
from aerodrome.checks.backups import Backup
from aerodrome.checks.upgrade import DatabaseAnswers
from aerodrome.components.backups import backed_up, secrets_host
from aerodrome.components.dag_imports import dag_imports
from aerodrome.components.inputs import Inputs
from aerodrome.components.upgrade import config, counted, migrated, ready, rehearsed, versioned
from aerodrome.core.resource import Resource
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.resources.config import ConfigPutBack
from aerodrome.resources.exchange import Exchanged, ExchangedBack, kept_name
from aerodrome.resources.scratch import NoScratch
from aerodrome.resources.upgrade import CopiedDatabase, NoUpgradeRecord, UpgradeRecord
from aerodrome.runbooks import deploy
from aerodrome.runbooks.backup import database_host
from aerodrome.runbooks.restore import rehearsal
from aerodrome.runbooks.units import needed_first


def staging(after: Inputs) -> Runbook:
    """Make the environments of the other version ready on all nodes, beside those in use."""
    return Runbook("upgrade.ready", (_ready(after),))


def rehearse(before: Inputs, after: Inputs, backup: Backup, run: str, allow: bool = False) -> Runbook:
    """Import all DAGs with the other version, and migrate a copy of the database with it, while everything runs.

    The rows of the copy are counted, and it is dropped. `allow` accepts DAGs that only the version in use can import.
    """
    host, node = database_host(before.fleet), secrets_host(before.fleet)
    undo = {host.name: [Step("upgrade.undo", (NoScratch(),))]}
    parts = [
        Stage("DAGs", {node.name: [dag_imports(before, node, after, run, allow)]}, {}),
        *rehearsal(before, backup, run, undo),
        Stage("rehearse", {node.name: [rehearsed(before.fleet.airflow.version, after, run)]}, {}, way_back=undo),
        Stage("count", {host.name: [counted(run)]}, {}, way_back=undo),
        Stage("end", {host.name: [Step("upgrade.drop", (NoScratch(),))]}, {}),
    ]
    return Runbook("upgrade.rehearse", tuple(parts))


def upgrade(before: Inputs, after: Inputs, run: str, force: bool = False) -> Runbook:
    """Change the version of the whole fleet from that of `before` to that of `after`.

    `run` names what belongs to this upgrade, also if another run continues it.
    """
    old, new = before.fleet.airflow.version, after.fleet.airflow.version
    host, node = database_host(before.fleet), secrets_host(before.fleet)
    database, kept = before.fleet.database, kept_name(before.fleet.database.name, run)
    halts, machines, starts = _parts(replace(after, force=force), running=before)
    copy = CopiedDatabase(database.name, database.user, kept), Exchanged(database.name, kept)
    steps = {
        "begin": {host.name: [Step("upgrade.begin", (UpgradeRecord(run, old, new),))]},
        "backup": {host.name: [backed_up(before, run, old)]},
        "copy": {host.name: [Step("upgrade.copy", copy)]},
        "migrate": {node.name: [migrated(old, after, run)]},
        "done": {host.name: [Step("upgrade.done", (UpgradeRecord(run, old, new, done=True),))]},
    }
    begin, backup, copied, migrate, done = (Stage(name, each, {}) for name, each in steps.items())
    aside = _on_nodes(after, "config", config(after, run))
    if leaves_unversioned(old, new):
        starts.append(Stage("versions", {node.name: [versioned(after, run)]}, {}))
    parts = [_ready(after), begin, *halts, backup, copied, *aside, *machines, migrate, *starts, done]
    return Runbook("upgrade", tuple(parts), force, back=tuple(_back(before, after, run)))


def back(before: Inputs, after: Inputs, run: str, force: bool = False) -> Runbook:
    """Lead the fleet back to the version of `before`, and to the database that upgrade `run` has put aside."""
    return Runbook("upgrade.back", tuple(_back(replace(before, force=force), after, run)), force)


def _back(before: Inputs, after: Inputs, run: str) -> list[Stage]:
    host, database = database_host(before.fleet), before.fleet.database.name
    exchanged = ExchangedBack(database, kept_name(database, run))
    renames = Step("upgrade.use", (exchanged, NoScratch()), (DatabaseAnswers(),))
    # What runs now must not hold up the way back: the fleet was as these steps want it.
    halts, machines, starts = map(unconditional, _parts(before, after, waits=False))
    end = Step("upgrade.end", (NoUpgradeRecord(run),))
    exchange, ends = Stage("exchange", {host.name: [renames]}, {}), Stage("end", {host.name: [end]}, {})
    config_back = _on_nodes(before, "config", tuple(map(ConfigPutBack, config(before, run))))
    return [*halts, exchange, *config_back, *machines, *starts, ends]


def _on_nodes(inputs: Inputs, name: str, resources: tuple[Resource, ...]) -> list[Stage]:
    """Return a stage with these resources on all nodes; none without any."""
    steps = {node.name: [Step(f"upgrade.{name}", resources)] for node in inputs.fleet.nodes()}
    return [Stage(name, steps, {})] if resources else []


def _ready(after: Inputs) -> Stage:
    return Stage("environments", {node.name: ready(after, node) for node in after.fleet.nodes()}, {})


def _parts(inputs: Inputs, running: Inputs, waits: bool = True) -> tuple[list[Stage], list[Stage], list[Stage]]:
    """Return the stages of a deploy that changes the version: those that stop units, set up hosts, and start units.

    `running` are the inputs of the version that runs.
    """
    inputs = replace(inputs, accept_downtime=True, whole=True, running=running)
    fleet = inputs.fleet
    parts = [
        replace(stage, way_back={}, commits=False)
        for stage in deploy.stages(inputs, list(fleet.hosts), list(fleet.roles))
    ]
    names = [stage.name for stage in parts]
    first, last = names.index("machines"), names.index("settings") + 1
    halts, machines, starts = parts[:first], parts[first:last], parts[last:]
    if not waits:
        halts = [replace(stage, way_back={}) for stage in deploy.halt_stages(inputs, waits=False)]
    return halts, machines, needed_first(inputs, starts)


def unconditional(parts: Sequence[Stage]) -> list[Stage]:
    """Return stages without what must hold before."""
    return [
        replace(
            stage,
            steps={host: [replace(step, requires=()) for step in steps] for host, steps in stage.steps.items()},
            requires={},
        )
        for stage in parts
    ]
