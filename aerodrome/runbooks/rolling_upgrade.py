"""Upgrade Airflow to a version that uses the database as it is: units restart one after another, nothing is drained.

It is a deploy of the other version, whose environments were made ready before: links are switched on all hosts, and
each role must be healthy before the next restarts. Workers finish their tasks first, one host at a time.
"""

from __future__ import annotations

from dataclasses import replace

from aerodrome.components.inputs import Inputs
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.resources.upgrade import NoUpgradeRecord, UpgradeRecord
from aerodrome.runbooks import deploy
from aerodrome.runbooks.backup import database_host
from aerodrome.runbooks.units import needed_first
from aerodrome.runbooks.upgrade import unconditional


def upgrade(before: Inputs, after: Inputs, run: str, force: bool = False) -> Runbook:
    """Change the version of the whole fleet from that of `before` to that of `after`, without a stop of everything.

    `run` names the upgrade, also if another run continues it.
    """
    parts = [_recorded(before, after, run), *_rolled(after, before, force), _recorded(before, after, run, done=True)]
    return Runbook("upgrade", tuple(parts), force, back=tuple(_back(before, after, run, force)))


def back(before: Inputs, after: Inputs, run: str, force: bool = False) -> Runbook:
    """Lead the fleet back to the version of `before`; the database stays as it is."""
    return Runbook("upgrade.back", tuple(_back(before, after, run, force)), force)


def _back(before: Inputs, after: Inputs, run: str, force: bool) -> list[Stage]:
    end = Step("upgrade.end", (NoUpgradeRecord(run),))
    # What runs now must not hold up the way back: the fleet was as these steps want it.
    rolled = unconditional(_rolled(before, after, force, backwards=True))
    return [*rolled, Stage("end", {database_host(before.fleet).name: [end]}, {})]


def _recorded(before: Inputs, after: Inputs, run: str, done: bool = False) -> Stage:
    old, new = before.fleet.airflow.version, after.fleet.airflow.version
    name = "done" if done else "begin"
    step = Step(f"upgrade.{name}", (UpgradeRecord(run, old, new, done, rolling=True),))
    return Stage(name, {database_host(before.fleet).name: [step]}, {})


def _rolled(inputs: Inputs, running: Inputs, force: bool, backwards: bool = False) -> list[Stage]:
    """Return the stages of a deploy of one version while another one runs.

    Whoever asks is never newer than whoever answers: in Airflow 3, web servers restart first, and last on the way back.
    """
    inputs = replace(inputs, rolls_from=running.fleet.airflow.version, running=running, force=force)
    fleet = inputs.fleet
    parts = [
        replace(stage, way_back={}, commits=False)
        for stage in deploy.stages(inputs, list(fleet.hosts), list(fleet.roles))
    ]
    first = [stage.name for stage in parts].index("settings") + 1
    starts = needed_first(inputs, [stage for stage in parts[first:] if stage.gates])
    ends = [stage for stage in parts[first:] if not stage.gates]
    return [*parts[:first], *(starts[::-1] if backwards else starts), *ends]
