"""Restore a backup of the metadata database: into a scratch database first, which is checked; a drill ends there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from aerodrome.checks.backups import Backup
from aerodrome.components.backups import copied, decrypted, kept, place, secrets_host
from aerodrome.components.inputs import Inputs
from aerodrome.components.roles.database import COMPONENT
from aerodrome.components.units import stopped
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage, only
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host
from aerodrome.resources.exchange import Exchanged, ExchangedBack, NoDatabase, kept_name
from aerodrome.resources.halted import Resumed
from aerodrome.resources.scratch import DrillRecord, NoScratch
from aerodrome.runbooks.backup import backup_host, database_host
from aerodrome.runbooks.units import role_stages, stop_stages

LONGEST_NAME = 63  # characters of a database's name


def drill(inputs: Inputs, hosts: Collection[str], roles: Collection[str], backup: Backup, run: str) -> Runbook:
    """Restore a backup into a scratch database, check it, drop it, and record how that ended."""
    host, where = database_host(inputs.fleet), place(inputs.fleet)
    failed = DrillRecord(where, backup.name, run, ok=False)
    undo = {host.name: [Step("drill.undo", (failed, NoScratch()))]}
    ends = {host.name: [Step("drill.end", (NoScratch(), DrillRecord(where, backup.name, run, ok=True)))]}
    parts = [*rehearsal(inputs, backup, run, undo), Stage("record", ends, {}, way_back=undo)]
    return Runbook("drill", tuple(parts))


def rehearsal(
    inputs: Inputs, backup: Backup, run: str, undo: Mapping[str, Sequence[Step]], settle: bool = False
) -> list[Stage]:
    """Return the stages that restore a backup into the scratch database and check it, while everything runs."""
    host, node = database_host(inputs.fleet), secrets_host(inputs.fleet)
    # Older hosts.yaml's deploys have not let anybody in there yet.
    access = [step for step in COMPONENT.machine(inputs, host) if step.name == "database.access"]
    copy = {host.name: [*access, copied(inputs, backup, run, settle)]}
    return [
        Stage("copy", copy, {}, way_back=undo),
        Stage("secrets", {node.name: [decrypted(inputs, run)]}, {}, way_back=undo),
    ]


def restore(inputs: Inputs, hosts: Collection[str], roles: Collection[str], backup: Backup, run: str) -> Runbook:
    """Replace the metadata database by a backup, and keep it; if anything fails, everything is as before."""
    host, database = database_host(inputs.fleet), inputs.fleet.database.name
    before = kept_name(database, run)
    if len(before) > LONGEST_NAME:
        raise InvalidInput(f"database.name: {before} is longer than {LONGEST_NAME} characters: it cannot be kept")
    drop = {host.name: [Step("restore.undo", (NoScratch(),))]}
    back = {host.name: [Step("restore.back", (ExchangedBack(database, before), NoScratch()))]}
    again = {node.name: [_resumed(inputs, node)] for node in inputs.fleet.nodes()}
    halt = {node.name: _stopped(inputs, node) for node in inputs.fleet.nodes()}
    exchange = Stage("exchange", {host.name: [Step("restore.use", (Exchanged(database, before),))]}, {}, way_back=back)
    every = tuple(inputs.fleet.roles)
    parts = [
        *rehearsal(inputs, backup, run, drop, settle=True),
        *(replace(_renamed(stage), way_back=again) for stage in stop_stages(inputs, every) if stage.steps),
        exchange,
        *(replace(stage, way_back=halt) for stage in role_stages(inputs, every) if stage.steps),
    ]
    return Runbook("restore", tuple(parts))


def prune(inputs: Inputs, hosts: Collection[str], roles: Collection[str], names: Sequence[str] = ()) -> Runbook:
    """Drop the databases `names`, which restores have kept, and remove the backups beyond those that are kept."""
    host = backup_host(inputs.fleet)
    steps = {host.name: [Step("backups.prune", (*map(NoDatabase, names), kept(inputs)))]}
    return Runbook("backups.prune", tuple(only([Stage("prune", steps, {})], hosts)))


def _resumed(inputs: Inputs, node: Host) -> Step:
    return Step("restore.start", tuple(Resumed(role.unit(inputs)) for role in inputs.roles_on(node)))


def _stopped(inputs: Inputs, node: Host) -> list[Step]:
    return [_apart(stopped(inputs, node, role)) for role in reversed(inputs.roles(node))]


def _renamed(stage: Stage) -> Stage:
    """Return a stage whose steps are not taken for those that start the same units later."""
    return replace(stage, steps={host: [_apart(step) for step in steps] for host, steps in stage.steps.items()})


def _apart(step: Step) -> Step:
    return replace(step, name=f"stop.{step.name}")


def check_version(backup: Backup, in_use: str) -> None:
    """Raise InvalidInput for a backup of another version of Airflow than that in use."""
    if backup.airflow and in_use and backup.airflow != in_use:
        raise InvalidInput(
            f"backup {backup.name} is of Airflow {backup.airflow}, but {in_use} is in use, which cannot work with it",
            f"restore a backup of {in_use}: fab backups",
        )
