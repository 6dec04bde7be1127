"""Upgrade Airflow on the whole fleet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.confirm import YES, confirmed
from tasks.restore import whole_fleet
from tasks.session import FORCE, JSON, WAIT, Session, session

if TYPE_CHECKING:
    from aerodrome.checks.upgrade import Upgrade
    from aerodrome.components.inputs import Inputs
    from aerodrome.fleet.model import Fleet

KEPT = "nothing in use has changed"
OPTIONS = {
    "to": "the version, such as 3.3.2",
    "check": "do everything up to the report, while everything runs, and stop there",
    "back": "go back to the version and database of before the last upgrade",
    "python": "airflow.python with the other version (default: as in hosts.yaml)",
    "lock": "airflow.lock with the other version; needed if hosts.yaml has airflow.lock or airflow.constraints",
    "allow_import_errors": "upgrade even if there are DAGs that only the version in use can import",
}


@task(name="run", default=True, help={**OPTIONS, **YES, **WAIT, **FORCE, **JSON})
def upgrade(
    context: Any,
    to: str = "",
    check: bool = False,
    back: bool = False,
    python: str = "",
    lock: str = "",
    allow_import_errors: bool = False,
    yes: bool = False,
    wait: str | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Change Airflow's version: rehearsed on a copy, backed up, and undone by itself if anything fails.

    While everything runs, the new version is installed beside the one in use, imports all DAGs, and migrates a copy of
    the database; --check ends there, with a report. Then schedulers stop, running and queued tasks finish, everything
    else stops, the database is backed up and migrated once, and services start with the new version. If anything fails
    on the way, or on Ctrl-C, the fleet goes back to the version and the database of before. At the end, change
    airflow.version in hosts.yaml.

    Examples:
      fab upgrade --check --to=3.3.2    # rehearse it and report; nothing stops
      fab upgrade --to=3.3.2
      fab upgrade --back                # the version and the database of before are used again
    """
    from aerodrome.components.upgrade import begun_upgrade
    from aerodrome.errors import InvalidInput
    from aerodrome.runbooks.backup import database_host

    if bool(to) == back or (check and back):
        raise InvalidInput("give a version, or --back", "fab upgrade --to=3.3.2, or fab upgrade --back")
    other = _overrides(python, lock)
    with session(context, wait, json) as run:
        whole_fleet(run)
        database_host(run.fleet)
        found = begun_upgrade(run.fleet, run.run.look)
        if back:
            _back(run, found, other, force, lambda: yes or confirmed("Go back?", KEPT, alone=json))
        elif found and not found.done:
            _resume(run, found, to, other, check, force)
        else:
            _through(run, to, other, allow_import_errors, check, force, lambda: yes or _agreed(json))


@task(help={**YES, **WAIT, **JSON})
def finish(context: Any, yes: bool = False, wait: str | None = None, json: bool = False) -> None:
    """Drop what the last upgrade has kept, after showing it; fab upgrade --back is then no longer possible.

    Dropped are the database of before, the backup that was made for the rehearsal, virtual environments beyond
    deploy.keep_releases, and an airflow.cfg that was set aside. Backups of fab backup stay.

    Examples:
      fab upgrade.finish
      fab upgrade.finish --yes    # without asking
    """
    from aerodrome.components.upgrade import begun_upgrade
    from aerodrome.core.stage import by_host
    from aerodrome.errors import InvalidInput
    from aerodrome.report.terminal import show_plans
    from aerodrome.runbooks.backup import database_host
    from aerodrome.runbooks.upgrade_finish import finish

    with session(context, wait, json) as run:
        whole_fleet(run)
        database_host(run.fleet)
        found = begun_upgrade(run.fleet, run.run.look)
        if found is None:
            run.tell("no upgrade is recorded")
            run.tell("no changes")
            return
        _check_finished(run, found)
        plans = run.adopting(lambda: run.run.ask(by_host(finish(run.inputs, found).stages)))
        if not json:
            show_plans([plan for plan in plans.values() if plan.changes], False)
        if not yes and not confirmed("Drop this?", "nothing was dropped", alone=json):
            raise InvalidInput("nothing was dropped")
        run.perform(lambda inputs, hosts, roles: finish(inputs, found), [])


def _check_finished(run: Session, found: Upgrade) -> None:
    """Refuse to drop anything in the middle of an upgrade, or while hosts.yaml has another version than the fleet."""
    from aerodrome.errors import InvalidInput

    if not found.done:
        raise InvalidInput(
            f"the upgrade from Airflow {found.before} to {found.after} has not been finished by run {found.run}",
            f"continue it: fab upgrade --to={found.after}; or go back: fab upgrade --back",
        )
    if run.fleet.airflow.version != found.after:
        raise InvalidInput(
            f"the fleet runs Airflow {found.after}, but {run.fleet.source} has {run.fleet.airflow.version}",
            f"set airflow.version: {found.after}; or go back: fab upgrade --back",
        )


def _through(
    run: Session,
    to: str,
    other: Mapping[str, Any],
    allow: bool,
    check: bool,
    force: bool,
    agreed: Callable[[], bool],
) -> None:
    """Upgrade to a version, through what lies between: each step is rehearsed, and is an upgrade of its own."""
    from aerodrome.catalogue.upgrade import steps
    from aerodrome.errors import InvalidInput
    from tasks.rehearsal import preflight, rehearse

    in_use = _in_use(run, to)
    _use(run, in_use)
    path = steps(in_use, to)
    for number, version in enumerate(path, 1):
        if len(path) > 1:
            run.tell(f"step {number} of {len(path)}: Airflow {run.fleet.airflow.version} to {version}")
        preflight(run)
        own = other if version == to else {key: value for key, value in other.items() if key == "python"}
        after = _at_version(run, version, own)
        rolling = not rehearse(run, after, allow)
        if check:
            rest = "" if version == to else f"; the next step can be rehearsed once Airflow {version} runs"
            run.tell(f"{KEPT}{rest}; to upgrade: fab upgrade --to={to}")
            return
        if not agreed():
            raise InvalidInput(KEPT if number == 1 else f"Airflow {run.fleet.airflow.version} stays in use")
        run.renew()
        _perform(run, after, run.recorder.run, force, rolling)
        run.renew()
        run.fleet = after.fleet
        run.__dict__["inputs"] = after


def _agreed(json: bool) -> bool:
    return confirmed("Upgrade?", KEPT, "the report above", alone=json)


def _in_use(run: Session, to: str) -> str:
    """Return the version that is in use; refuse what cannot follow it."""
    from aerodrome.catalogue.upgrade import unsupported
    from aerodrome.components.backups import version_in_use
    from aerodrome.errors import InvalidInput

    in_use = version_in_use(run.inputs, run.run.look)
    if why := unsupported(in_use, to) if in_use else "which version is in use is not known: fab status":
        raise InvalidInput(f"--to={to[:40]}: {why}")
    return in_use


def _resume(run: Session, found: Upgrade, to: str, other: Mapping[str, Any], check: bool, force: bool) -> None:
    """Continue an upgrade whose run was killed."""
    from aerodrome.errors import InvalidInput

    if check or found.after != to:
        raise InvalidInput(
            f"an upgrade from {found.before} to {found.after} was begun by run {found.run} and not finished",
            f"continue it: fab upgrade --to={found.after}; or go back: fab upgrade --back",
        )
    run.tell(f"continuing the upgrade of run {found.run}")
    _use(run, found.before)
    _perform(run, _at_version(run, to, other), found.run, force, found.rolling)


def _perform(run: Session, after: Inputs, of: str, force: bool, rolling: bool) -> None:
    from aerodrome.runbooks import rolling_upgrade, upgrade

    version, book = after.fleet.airflow.version, rolling_upgrade.upgrade if rolling else upgrade.upgrade
    run.perform(lambda inputs, hosts, roles: book(inputs, after, of, force), [])
    run.tell(f"Airflow {version} runs; now set airflow.version: {version} in {run.fleet.source}")


def _back(
    run: Session, found: Upgrade | None, other: Mapping[str, Any], force: bool, agreed: Callable[[], bool]
) -> None:
    from aerodrome.errors import InvalidInput
    from aerodrome.report.terminal import say
    from aerodrome.runbooks import rolling_upgrade, upgrade
    from tasks.values import look_up

    if found is None:
        raise InvalidInput("no upgrade is recorded that could be taken back", "see what was done: fab history")
    if found.rolling:
        say(f"from Airflow {found.after} back to {found.before}; the database stays, and nothing is lost")
    else:
        _say_what_is_lost(run, found)
    if not agreed():
        raise InvalidInput(KEPT)
    before = _at_version(run, found.before, other)
    after = look_up(_fleet({"version": found.after}), run.vault)
    back = rolling_upgrade.back if found.rolling else upgrade.back
    run.perform(lambda inputs, hosts, roles: back(before, after, found.run, force), [])
    run.tell(f"Airflow {found.before} runs; airflow.version in {run.fleet.source} has to be {found.before}")


def _say_what_is_lost(run: Session, found: Upgrade) -> None:
    """Say to which database an upgrade goes back, and what that loses; refuse if it has been dropped."""
    from aerodrome.components.backups import kept_databases
    from aerodrome.components.upgrade import lost_by_going_back
    from aerodrome.errors import InvalidInput
    from aerodrome.report.terminal import say
    from aerodrome.resources.exchange import kept_name
    from aerodrome.runbooks.backup import database_host

    name = kept_name(run.fleet.database.name, found.run)
    kept = [each.subject for each in kept_databases(run.fleet, database_host(run.fleet), run.run.look)]
    if found.done and name not in kept:
        raise InvalidInput(f"database {name} of before the upgrade has been dropped", "see what there is: fab backups")
    say(f"from Airflow {found.after} back to {found.before}, and to database {name}")
    say(lost_by_going_back(run.fleet, name, run.run.look))


def _overrides(python: str, lock: str) -> dict[str, Any]:
    """Return the keys of the section airflow that options give."""
    from pathlib import Path

    found: dict[str, Any] = {"python": python} if python else {}
    return found | ({"lock": str(Path(lock).absolute()), "constraints": None, "pinned": True} if lock else {})


def _at_version(run: Session, version: str, other: Mapping[str, Any]) -> Inputs:
    """Return the inputs of components for another version of Airflow, with the same hosts.yaml and secrets."""
    from aerodrome.errors import InvalidInput
    from tasks.values import look_up

    airflow = run.fleet.airflow
    if version != airflow.version and (airflow.lock or airflow.constraints) and "lock" not in other:
        key = "lock" if airflow.lock else "constraints"
        raise InvalidInput(
            f"{run.fleet.source}: airflow.{key} is for Airflow {airflow.version}",
            f"make a lock file for {version} (fab pin --version={version}), and give it: --lock=PATH",
        )
    return look_up(_fleet({"version": version, **other}), run.vault)


def _use(run: Session, version: str) -> None:
    """Take the fleet of hosts.yaml with the version that is in use: the file may already have the next one."""
    if run.fleet.airflow.version != version:
        run.fleet = _fleet({"version": version})
        run.__dict__.pop("inputs", None)


def _fleet(airflow: Mapping[str, Any]) -> Fleet:
    from aerodrome.components.registry import components
    from aerodrome.controller.hosts_file import load

    return load(components().values(), airflow=airflow)
