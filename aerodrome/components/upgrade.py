"""The parts of an upgrade of Airflow: environments made ready beside those in use, and migrations of the database."""

from __future__ import annotations

from dataclasses import replace

from aerodrome.catalogue.upgrade import needs_repair
from aerodrome.catalogue.version import BROKER_URL, DATABASE_URL, RESULT_BACKEND
from aerodrome.checks.kept_upgrade import Lost, LostByGoingBack
from aerodrome.checks.space import RoomForEnvironment
from aerodrome.checks.upgrade import CopyCounted, Migrated, RecordedUpgrade, Upgrade
from aerodrome.components.backups import secrets_host
from aerodrome.components.command import PATIENCE, airflow_command, connection, in_transient_unit, python_program
from aerodrome.components.environment import environment, render_variables, role_environment
from aerodrome.components.inputs import Inputs, Text
from aerodrome.components.node import environments, packages
from aerodrome.core.check import Look
from aerodrome.core.plan import RUNTIME
from aerodrome.core.resource import NOTE, Change, heredoc, put_text, quote
from aerodrome.core.runbook import Action
from aerodrome.core.size import counted as number_of
from aerodrome.core.step import Step
from aerodrome.errors import HostError, InvalidInput
from aerodrome.fleet.model import Fleet, Host
from aerodrome.program import program
from aerodrome.resources.backup import GUARD, OPTIONS, facts
from aerodrome.resources.config import ConfigSetAside
from aerodrome.resources.scratch import SCRATCH
from aerodrome.resources.upgrade import COUNTED

MIGRATED = "/var/lib/aerodrome/migrated"  # the run that has migrated the real database, and how long it took
VERSIONED = "/var/lib/aerodrome/versioned"  # the run that has given planned tasks a version of their DAG
REHEARSED = "/run/aerodrome/rehearsed"  # the same of a copy
VARIABLES = "/run/aerodrome/rehearsal.env"
HOME = "/tmp/airflow"  # noqa: S108 (of a rehearsal, whose /tmp is its own)


def begun_upgrade(fleet: Fleet, look: Look) -> Upgrade | None:
    """Return the upgrade that the database's host has recorded; None if there is none.

    Raises HostError if the host cannot be asked.
    """
    host = fleet.lock_host.name
    for finding in look({host: [RecordedUpgrade()]})[host]:
        if not isinstance(finding, Upgrade):
            raise HostError(host, "upgrade", finding.detail)
        return finding
    return None


def lost_by_going_back(fleet: Fleet, kept: str, look: Look) -> str:
    """Say what going back to the database `kept` would lose: how much has run since it was put aside."""
    host = fleet.lock_host.name
    for finding in look({host: [LostByGoingBack(fleet.database.name, kept)]})[host]:
        if not isinstance(finding, Lost):
            return f"Airflow forgets what ran since; how much that is could not be counted: {finding.detail}"
        runs, tasks = number_of(finding.runs, "DAG run"), number_of(finding.tasks, "task instance")
        return f"Airflow forgets what has started since {finding.since}: {runs} and {tasks}"
    return "nothing is lost: no other database is in use yet"


def for_rehearsal(inputs: Inputs) -> Inputs:
    """Return the inputs of a backup that is made for a rehearsal only: it takes no other one's place.

    A rehearsal needs today's data: what made an earlier one fail may have been corrected since.
    """
    backup = inputs.fleet.backup
    own = replace(backup, directory=f"{backup.directory}/rehearsal", keep=1)
    return replace(inputs, fleet=replace(inputs.fleet, backup=own))


def ready(inputs: Inputs, node: Host) -> list[Step]:
    """Return the steps that make a version's environment ready on a node, beside the one in use."""
    venv, install = environments(inputs, beside=True)
    return [
        Step("upgrade.packages", (packages(inputs.fleet.airflow.python),)),
        Step("upgrade.venv", venv, (RoomForEnvironment(inputs.place, inputs.fleet.airflow.version),)),
        Step("upgrade.install", install),
    ]


def config(inputs: Inputs, run: str) -> tuple[ConfigSetAside, ...]:
    """Return the airflow.cfg to set aside on a node, unless hosts.yaml brings one."""
    path = f"{inputs.fleet.airflow.home}/airflow.cfg"
    return () if inputs.config_file is not None else (ConfigSetAside(path, run),)


def migrated(before: str, inputs: Inputs, run: str) -> Step:
    """Return the action that migrates the metadata database of version `before`, in the environment of the units."""
    role = inputs.role_for_commands(secrets_host(inputs.fleet))
    command = airflow_command(inputs, inputs.catalogue.migrate.split(), role)
    repair = python_program(inputs, _repair(inputs), role) if needs_repair(before) else ":"
    script = f"{repair}\n{_migrate(command, MIGRATED, run)}"
    change = Change(f"migrate the database to Airflow {inputs.fleet.airflow.version}", script, interrupts=True)
    return Step("upgrade.migrate", (Action(Migrated(MIGRATED, run), change),))


def versioned(inputs: Inputs, run: str) -> Step:
    """Return the action that gives tasks which Airflow 2 has planned a version of their DAG."""
    role, limit = inputs.role_for_commands(secrets_host(inputs.fleet)), inputs.fleet.deploy.health_timeout
    gives = program("unversioned", seconds=limit, note=NOTE, **connection(inputs))
    # Without it, Airflow continues with these tasks too, only later: no reason to go back.
    script = (
        f"{{ {python_program(inputs, gives, role, limit + PATIENCE)}\n}} || :\n"
        f"printf '%s 0\\n' {quote(run)} >{VERSIONED}.new\nmv {VERSIONED}.new {VERSIONED}"
    )
    change = Change("give planned tasks a version of their DAG, once it has been parsed", script)
    return Step("upgrade.versions", (Action(Migrated(VERSIONED, run), change),))


def rehearsed(before: str, inputs: Inputs, run: str) -> Step:
    """Return the action that migrates the scratch database, in a sandbox: the units notice nothing."""
    node = secrets_host(inputs.fleet)
    variables = render_variables(_rehearsal_variables(inputs, node))
    command = _in_sandbox(inputs, "airflow", *inputs.catalogue.migrate.split())
    repair = f"{_in_sandbox(inputs, 'python', '-I', '-')} {heredoc(_repair(inputs))}" if needs_repair(before) else ":"
    script = (
        f"{RUNTIME}(\ntrap 'rm -f {VARIABLES}' EXIT\numask 077\n{put_text(variables, VARIABLES)}\n{repair}\n"
        f"{_migrate(command, REHEARSED, run)}\n)"
    )
    change = Change(f"migrate the copy to Airflow {inputs.fleet.airflow.version}", script, interrupts=True)
    return Step("upgrade.rehearse", (Action(Migrated(REHEARSED, run), change),))


def counted(run: str) -> Step:
    """Return the action that counts the rows of the scratch database."""
    psql = f"runuser -u postgres -- env PGDATABASE={SCRATCH} PGOPTIONS={quote(OPTIONS)} psql -XAtq -v ON_ERROR_STOP=1"
    asks = heredoc(f"{GUARD}\n{facts()}")
    script = (
        f"{RUNTIME}(umask 077; {{ printf '%s\\n' {quote(run)}; {psql} {asks}\n}} >{COUNTED}.new)\n"
        f"mv {COUNTED}.new {COUNTED}"
    )
    return Step("upgrade.count", (Action(CopyCounted(run), Change("count the rows of the migrated copy", script)),))


def _migrate(command: str, file: str, run: str) -> str:
    """Return sh that runs a migration, and then records the run and how long it took.

    It runs as the service user, so its output is bounded.
    """
    log = f"{file}.log"
    bounded = f"sed -un -e 's/^\\(.\\{{500\\}}\\).*/\\1/' -e '1,20000w {log}'"
    return (
        f"(\numask 077\nmkdir -p {file.rpartition('/')[0]}\nbegan=$(date +%s)\n"
        f"{{ code=0; {command} 2>&1 || code=$?; echo $code >{log}.status; }} | {bounded}\n"
        "seconds=$(($(date +%s) - began))\n"
        # The exception comes last: what follows it in a traceback may be a long statement.
        f"if [ \"$(cat {log}.status)\" != 0 ]; then\ntail -n 20 {log} | sed 's/^@/ @/'\n"
        f"grep -aE '^[A-Za-z0-9_]+([.][A-Za-z0-9_]+)+: ' {log} | tail -n 2\nexit 1\nfi\n"
        f"printf '%s %s\\n' {quote(run)} \"$seconds\" >{file}.new\nmv {file}.new {file}\n"
        f"printf '%s\\n' {quote(NOTE)}\"migrated in $seconds s (output: {log})\"\n)"
    )


def _repair(inputs: Inputs) -> str:
    return program("repair", note=NOTE, **connection(inputs))


def _in_sandbox(inputs: Inputs, name: str, *arguments: str) -> str:
    """Return sh that runs a program of the environment that is ready, with the variables of the rehearsal only."""
    airflow = inputs.fleet.airflow
    properties = (
        f"User={airflow.user}",
        f"Group={airflow.user}",
        f"EnvironmentFile=-{inputs.kept_file}",
        f"EnvironmentFile={VARIABLES}",
        "WorkingDirectory=/",
        "UMask=0027",
        "PrivateTmp=yes",
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "NoNewPrivileges=yes",
        f"RuntimeMaxSec={inputs.fleet.deploy.migration_timeout}",
    )
    return in_transient_unit(properties, " ".join(map(quote, (f"{inputs.next_venv}/bin/{name}", *arguments))))


def _rehearsal_variables(inputs: Inputs, node: Host) -> dict[str, Text]:
    """Return the variables of a node's commands, with the scratch database and an AIRFLOW_HOME of its own.

    An airflow.cfg that another version has written would decide otherwise. Raises InvalidInput if only a command on the
    node knows the database's URL.
    """
    if inputs.password is None or inputs.fleet.database.connection_command:
        raise InvalidInput(
            f"{inputs.fleet.source}: database.connection_command: the migration cannot be rehearsed without a password",
            "set database.password instead",
        )
    variable = inputs.catalogue.variable
    role = inputs.role_for_commands(node)
    found = {**environment(inputs, node), **role_environment(inputs, node, role)}
    for setting in (BROKER_URL, RESULT_BACKEND, DATABASE_URL):
        for form in ("", "_CMD", "_SECRET"):
            found.pop(variable(*setting) + form, None)
    fleet = replace(inputs.fleet, database=replace(inputs.fleet.database, name=SCRATCH))
    scratch = replace(inputs, fleet=fleet)
    return {
        **found,
        "AIRFLOW_HOME": HOME,
        "PYTHONPATH": f"{inputs.fleet.airflow.home}/config",  # has the module that says the node's name
        "PATH": f"{inputs.next_venv}/bin:/usr/bin:/bin",
        variable(*DATABASE_URL): scratch.database_url("postgresql+psycopg2"),
    }
