"""The rehearsal of an upgrade: everything that is done before it asks, while Airflow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.session import Session

if TYPE_CHECKING:
    from aerodrome.checks.backups import Backup
    from aerodrome.components.inputs import Inputs
    from aerodrome.report.upgrade import Rehearsal


def preflight(run: Session) -> None:
    """Refuse to upgrade a fleet that is not as in hosts.yaml, or not healthy.

    An upgrade carries no other change along: whoever sees it fail knows what it was.
    """
    from aerodrome.components.status import status
    from aerodrome.core.stage import by_host
    from aerodrome.errors import InvalidInput
    from aerodrome.report.terminal import show_plans
    from aerodrome.runbooks.deploy import deploy

    roles = list(run.fleet.roles)
    plans = run.adopting(lambda: run.run.ask(by_host(deploy(run.inputs, run.names, roles).stages)))
    if any(plan.changes for plan in plans.values()):
        show_plans([plan for plan in plans.values() if plan.changes], False)
        raise InvalidInput("the fleet is not as hosts.yaml says; an upgrade carries no other change", "fab deploy")
    rows, _ = status(run.inputs, run.hosts, roles, run.run.look)
    if sick := [f"{row.host}: {row.role}: {row.detail}" for row in rows if not row.ok]:
        raise InvalidInput([f"not healthy: {each}" for each in sick], "fab status; fab logs")


def rehearse(run: Session, after: Inputs, allow: bool) -> bool:
    """Make the new version ready, rehearse the migration on a copy, and print the report.

    Return whether everything has to stop: not for a patch release whose migration has left the copy at its revisions.
    """
    from aerodrome.components.upgrade import for_rehearsal
    from aerodrome.report.terminal import say
    from aerodrome.report.upgrade import upgrade_page
    from aerodrome.runbooks import upgrade

    run.perform(lambda inputs, hosts, roles: upgrade.staging(after), [])
    run.renew()
    found = _backup(run, run.recorder.run)
    run.renew()
    of = run.recorder.run
    run.perform(lambda inputs, hosts, roles: upgrade.rehearse(for_rehearsal(inputs), after, found, of, allow), [])
    rehearsal = _found(run, after, of, found)
    say(upgrade_page(run.inputs, after, found, rehearsal))
    return rehearsal.migrates


def _found(run: Session, after: Inputs, of: str, backup: Backup) -> Rehearsal:
    """Return the findings of the rehearsal of run `of` with a backup."""
    from aerodrome.catalogue.upgrade import may_roll
    from aerodrome.checks.upgrade import CopyCounted, Counts, Migrated
    from aerodrome.components.backups import secrets_host
    from aerodrome.components.changed_settings import set_by_hand, settings_changed
    from aerodrome.components.dag_imports import imports_found
    from aerodrome.components.upgrade import REHEARSED
    from aerodrome.controller.dag_lint import dag_notes
    from aerodrome.report.upgrade import Rehearsal
    from aerodrome.runbooks.backup import database_host

    before, look = run.inputs, run.run.look
    host, node = database_host(run.fleet), secrets_host(run.fleet)
    (took,) = look({node.name: [Migrated(REHEARSED, of)]})[node.name]
    (counts,) = look({host.name: [CopyCounted(of)]})[host.name]
    rows = counts.rows if isinstance(counts, Counts) else {}
    heads = (counts.heads, counts.provider_heads) if isinstance(counts, Counts) else ()
    same = heads == (backup.heads, backup.provider_heads) and bool(backup.heads)
    rolls = same and may_roll(before.fleet.airflow.version, after.fleet.airflow.version)
    folder, majors = run.fleet.deploy.dags, (before.catalogue.major, after.catalogue.major)
    notes, why = dag_notes(folder, *majors) if folder else ([], "")
    return Rehearsal(
        int(took.detail) if took.ok else 0,
        rows,
        imports_found(before, node, after, of, look).detail,
        settings_changed(before, after, set_by_hand(before, run.hosts, look)),
        [*map(str, notes), *filter(None, [why])],
        migrates=not rolls,
    )


def _backup(run: Session, name: str) -> Backup:
    """Return a new backup, which is there for this rehearsal only."""
    from aerodrome.components.backups import backups
    from aerodrome.components.upgrade import for_rehearsal
    from aerodrome.runbooks.backup import backup, database_host, pick

    version = run.fleet.airflow.version
    run.perform(lambda inputs, hosts, roles: backup(for_rehearsal(inputs), hosts, roles, name, version), [])
    return pick(backups(for_rehearsal(run.inputs).fleet, database_host(run.fleet), run.run.look), name)
