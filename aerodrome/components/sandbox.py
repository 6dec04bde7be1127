"""How strict the sandbox of a role's unit is, and where its processes may write."""

from __future__ import annotations

import re

from aerodrome.components.environment import environment, role_environment
from aerodrome.components.inputs import Inputs
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host, RoleSettings

# Settings that name a folder to which Airflow itself writes (1.10: section core; [scheduler] for its children).
LOG_FOLDERS = ("base_log_folder", "child_process_log_directory", "dag_processor_child_process_log_directory")
_IN_CONFIG = re.compile(rf"^({'|'.join(LOG_FOLDERS)})\s*=\s*(/\S+)", re.MULTILINE)
_PLAIN = re.compile(r"/[A-Za-z0-9._+/-]+")


@dataclass(frozen=True)
class Sandbox:
    """The rights of a unit on its host."""

    level: str  # strict, relaxed or off
    writable: tuple[str, ...]  # where it may write, unless off
    mounts: tuple[str, ...]  # those of them that may be mounted


def sandbox(inputs: Inputs, host: Host, role: str) -> Sandbox:
    """Return the sandbox of a role's unit."""
    airflow, own = inputs.fleet.airflow, inputs.fleet.role_settings.get(role, RoleSettings())
    level = own.sandbox or airflow.sandbox
    more = tuple(path.rstrip("/") for path in dict.fromkeys((*airflow.read_write_paths, *own.read_write_paths)))
    writable = dict.fromkeys((f"{airflow.home}/logs", *_log_folders(inputs, host, role), *more))
    return Sandbox(level, tuple(writable), more if level != "off" else ())


def _log_folders(inputs: Inputs, host: Host, role: str) -> tuple[str, ...]:
    """Return log folders outside the usual one, as hosts.yaml or airflow.cfg name them.

    The `-` prefix makes systemd ignore a missing folder: Airflow's own error says more than a unit that cannot start.
    """
    variables = environment(inputs, host) | role_environment(inputs, host, role)
    folders = [
        value
        for name, value in variables.items()
        if name.startswith("AIRFLOW__") and name.rpartition("__")[2].lower() in LOG_FOLDERS and isinstance(value, str)
    ]
    folders += [found[1] for found in _IN_CONFIG.findall(inputs.config_file or "")]
    usual = f"{inputs.fleet.airflow.home}/logs/"
    elsewhere = [folder for folder in folders if _PLAIN.fullmatch(folder) and not f"{folder}/".startswith(usual)]
    return tuple(f"-{folder.rstrip('/')}" for folder in elsewhere)
