"""Look up the components' inputs that are not in hosts.yaml itself: secrets, references, lock files, the DAG folder."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from shlex import quote

from aerodrome.catalogue.packages import EXTRAS
from aerodrome.catalogue.version import catalogue
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.components.registry import components
from aerodrome.controller.dag_folder import dag_tree
from aerodrome.controller.files import read_text
from aerodrome.controller.keyring import Vault
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Airflow, Fleet, Host, RoleSettings
from aerodrome.lockfile import extras_of, lock_name, release
from aerodrome.report.sink import redactor
from aerodrome.resources.tree import Tree
from aerodrome.secrets import Secret, SecretValue, Value

LOCKS = Path(__file__).resolve().parent.parent / "locks"


class _Values:
    """Looks up values, and masks those that are secret in all output from then on."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def text(self, value: Value) -> str | Secret:
        found = self._vault.value(value)
        return redactor.know(found) if isinstance(found, Secret) else found

    def named(self, name: str) -> Secret:
        return redactor.know(self._vault.secret(name))

    def secret(self, value: SecretValue | None) -> Secret | None:
        return hidden(self._vault, value) if value else None

    def settings(self, of: Airflow | Host | RoleSettings) -> Settings:
        config = {name: {key: self.text(value) for key, value in keys.items()} for name, keys in of.config.items()}
        return Settings({name: self.text(value) for name, value in of.environment.items()}, config)

    def fernet_keys(self) -> Secret:
        keys = self._vault.fernet_keys()
        for key in keys.reveal().split(","):
            redactor.know(Secret(key))
        return keys


def look_up(fleet: Fleet, vault: Vault) -> Inputs:
    """Return the fleet with all of its values.

    Raises InvalidInput, naming file, line and key, for a value that cannot be looked up.
    """
    airflow, database, values = fleet.airflow, fleet.database, _Values(vault)
    commanded = database.connection_command and not database.password
    found = Inputs(
        fleet=fleet,
        components=components(),
        password=None if commanded else values.named("database_password"),
        redis_password=values.named("redis_password") if fleet.roles["redis"] else None,
        fernet_key=None if airflow.fernet_key_command else values.fernet_keys(),
        secret_key=values.named("secret_key"),
        jwt_secret=values.named("jwt_secret"),
        broker_url=values.secret(fleet.broker.url),
        result_backend=values.secret(fleet.broker.result_backend),
        salt=os.urandom(16),
        locks=locks(airflow),
        uv=(LOCKS / "uv.txt").read_text(),
        constraints=_read("airflow.constraints", airflow.constraints) if airflow.constraints else "",
        build=_aid(airflow, "build.txt"),
        metadata=_aid(airflow, "uv.toml"),
        settings=values.settings(airflow),
        host_settings={host.name: values.settings(host) for host in fleet.hosts.values()},
        role_settings={role: values.settings(of) for role, of in fleet.role_settings.items()},
        index_url=values.secret(airflow.index_url),
        extra_index_url=values.secret(airflow.extra_index_url),
        config_file=_config_file(airflow),
        dags=dags(fleet),
    )
    celery_password = values.named("celery_password") if found.celery_has_database else None
    return replace(found, celery_password=celery_password, made=frozenset(vault.made))


def dags(fleet: Fleet) -> Tree | None:
    """Return the DAG folder, if hosts.yaml names one."""
    if fleet.deploy.dags is None:
        return None
    return dag_tree(fleet.deploy.dags, f"{fleet.airflow.home}/dags", fleet.airflow.user, fleet.deploy.keep_releases)


def hidden(vault: Vault, value: SecretValue) -> Secret:
    """Look up a secret, and mask it in all output from then on."""
    found = vault.value(value)
    return redactor.know(found if isinstance(found, Secret) else Secret(found))


def locks(airflow: Airflow) -> dict[str, str]:
    """Return the lock files for the fleet's version, by Python version; the operator's own applies to all."""
    pythons = catalogue(airflow.version).pythons
    if airflow.constraints:
        return {}
    if airflow.lock:
        return dict.fromkeys(pythons, _read("airflow.lock", airflow.lock, "create it: fab pin"))
    files = {python: LOCKS / lock_name(airflow.distribution, airflow.version, python) for python in pythons}
    found = {python: file.read_text() for python, file in files.items() if file.exists()}
    default = EXTRAS[catalogue(airflow.version).major]
    wanted = set(airflow.extras or default)
    serving = {python: text for python, text in found.items() if wanted.issubset(extras_of(text) or default)}
    if found and not serving and airflow.pinned:
        lacking = sorted(wanted.difference(extras_of(next(iter(found.values()))) or default))
        options = " ".join(f"--extra={extra}" for extra in lacking)
        raise InvalidInput(
            f"airflow.extras: the shipped lock file lacks {', '.join(lacking)}",
            f"create one: fab pin --version={quote(airflow.version)} {options} --output=locks/mine.txt,"
            " and set airflow.lock: locks/mine.txt",
        )
    return serving


def _aid(airflow: Airflow, name: str) -> str:
    """Return a file that a version needs in addition to a lock, or "" if it needs none."""
    file = LOCKS / release(airflow.version) / name
    return file.read_text() if file.exists() else ""


def _config_file(airflow: Airflow) -> str | None:
    if airflow.config_file is None:
        return None
    return _read("airflow.config_file", airflow.config_file)


def _read(key: str, path: str, hint: str = "") -> str:
    return read_text(Path(path), f"{key}: ", hint)
