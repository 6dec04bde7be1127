"""Run Airflow commands on a node as the service user, in exactly the units' environment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aerodrome.catalogue.version import DATABASE_URL
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import heredoc, quote
from aerodrome.fleet.model import Fleet, Host

# Seconds for a question to one of our own programs. It runs as the service user, who can suspend it.
PATIENCE = 20


def in_unit_environment(
    inputs: Inputs, command: Sequence[str], role: str = "", folder: str = "", bare: bool = False, seconds: int = 0
) -> str:
    """Return sh that runs a command as systemd would run a unit, passing its streams and exit code through.

    The command runs in AIRFLOW_HOME or in `folder`. A `role` adds the variables that only that role's unit reads.
    `bare` allows the environment file to be missing. After `seconds`, if given, systemd stops the command. systemd
    reads the files itself, because a shell that sources them would interpret them differently and replace PATH.
    `--pipe` needs systemd 235.
    """
    airflow = inputs.fleet.airflow
    properties = [
        f"User={airflow.user}",
        f"Group={airflow.user}",
        f"EnvironmentFile=-{inputs.kept_file}",
        f"EnvironmentFile={'-' if bare else ''}{inputs.environment_file}",
        *([f"EnvironmentFile=-{inputs.role_file(role)}"] if role else []),
        f"WorkingDirectory={folder or airflow.home}",
        "UMask=0027",
        *([f"RuntimeMaxSec={seconds}", "TimeoutStopSec=2"] if seconds else []),
    ]
    return in_transient_unit(properties, " ".join(quote(word) for word in command))


def in_transient_unit(properties: Iterable[str], command: str) -> str:
    """Return sh that runs a command in a unit of its own, passing its streams and exit code through."""
    options = " ".join(f"-p {quote(each)}" for each in properties)
    return f"systemd-run --quiet --pipe --wait --collect {options} {command}"


def python_program(inputs: Inputs, program: str, role: str = "", seconds: int = 0) -> str:
    """Return sh that runs a program with the node's Python in the units' environment; `program` ends in a newline."""
    return f"{isolated_python(inputs, '-', role=role, seconds=seconds)} {heredoc(program)}"


def isolated_python(inputs: Inputs, *arguments: str, role: str = "", bare: bool = False, seconds: int = 0) -> str:
    """Return sh that runs the node's Python for a program of ours; it imports only from its own environment (-I).

    Otherwise, a module in AIRFLOW_HOME or on PYTHONPATH would be imported instead of Python's own.
    """
    return in_unit_environment(inputs, [f"{inputs.venv}/bin/python", "-I", *arguments], role, "/", bare, seconds)


def command_host(fleet: Fleet, hosts: Sequence[str]) -> Host:
    """Return the host for Airflow's commands: the first scheduler's, or the only one that is selected."""
    return fleet.hosts[hosts[0]] if len(hosts) == 1 else fleet.with_role("scheduler")[0]


def airflow_command(inputs: Inputs, arguments: Sequence[str], role: str) -> str:
    """Return sh that runs `airflow` with these arguments."""
    return in_unit_environment(inputs, [f"{inputs.venv}/bin/airflow", *arguments], role)


def connection(inputs: Inputs) -> dict[str, object]:
    """Return the parameters with which probes/connection.py logs in to the metadata database."""
    database = inputs.fleet.database
    return {
        "variable": inputs.catalogue.variable(*DATABASE_URL),
        "public": [database.name, database.user, inputs.database_host, str(database.port), "postgresql"],
    }


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether an Airflow command should print JSON (`-o json`, `--output=json`)."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=False)
    return any(
        word in ("-ojson", "--output=json") or (word in ("-o", "--output") and following == "json")
        for word, following in pairs
    )
