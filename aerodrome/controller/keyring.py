"""Every secret of a fleet: given, looked up, stored or generated."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from functools import partial
from pathlib import Path
from threading import Lock

from aerodrome.controller.references import resolve
from aerodrome.controller.secrets_file import ADOPTED, SecretsFile, secrets_path
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Fleet
from aerodrome.secrets import (
    FERNET_KEY,
    FERNET_KEY_RIGHT,
    Reference,
    Secret,
    SecretValue,
    Value,
    check_text,
    new_fernet_key,
    new_password,
)


class Vault:
    """Every secret and referenced value of a fleet, looked up once per run by whichever thread comes first.

    Secrets that are not given are generated; `keep` writes the generated ones to secrets.yaml beside hosts.yaml.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._given: dict[str, SecretValue | None] = {
            "database_password": fleet.database.password,
            "redis_password": fleet.broker.password,
            "celery_password": None,
            "fernet_key": fleet.airflow.fernet_key,
            "secret_key": fleet.airflow.secret_key,
            "jwt_secret": fleet.airflow.jwt_secret,
        }
        self._file = SecretsFile(secrets_path(Path(fleet.source).absolute()))
        self.made: dict[str, Secret] = {}  # generated in this run, not stored yet
        self._found: list[Secret] = []  # Fernet keys found on hosts in this run, not stored yet
        self._cache: dict[Hashable, Secret] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._guard = Lock()

    def secret(self, name: str) -> Secret:
        """Return `database_password`, `redis_password`, `celery_password`, `fernet_key`, `secret_key` or `jwt_secret`.

        Raises InvalidInput if its reference cannot be looked up or secrets.yaml cannot be used.
        """
        given = self._given[name]
        if isinstance(given, Secret):
            return given
        return self._once(name, lambda: self._find(name, given))

    def fernet_keys(self) -> Secret:
        """Return all Fernet keys of the fleet, separated by commas: the encrypting key, then those adopted from hosts.

        Raises InvalidInput like `secret`.
        """
        keys = [*self.secret("fernet_key").reveal().split(","), *self._adopted()]
        return Secret(",".join(dict.fromkeys(keys)))

    def adopt(self, keys: Iterable[Secret]) -> None:
        """Adopt Fernet keys found on hosts, so that what they encrypted stays readable."""
        self._found += keys

    def _adopted(self) -> list[str]:
        kept = self._file.get(ADOPTED)
        if kept:
            _fit("fernet_key", kept, f"{self._file.path}: {ADOPTED}")
        return [*(kept.reveal().split(",") if kept else ()), *(key.reveal() for key in self._found)]

    def value(self, value: Value | SecretValue) -> str | Secret:
        """Return a plain value as it is, and the value of a reference as a Secret."""
        if not isinstance(value, Reference):
            return value
        return self._once(value, lambda: Secret(resolve(value)))

    def _find(self, name: str, given: Reference | None) -> Secret:
        if given and given.kind != "prompt":
            return _fit(name, Secret(resolve(given)), given.where)
        where = f"{self._file.path}: {name}"

        kept = self._file.get(name)
        if kept is not None:
            return _fit(name, kept, where)
        if given:
            self.made[name] = _fit(name, Secret(resolve(given)), given.where)
        else:
            self.made[name] = Secret(new_fernet_key() if name == "fernet_key" else new_password())
        return self.made[name]

    def keep(self) -> None:
        """Write the generated secrets to secrets.yaml, before anything on a host depends on them.

        Raises InvalidInput if another run has generated different ones in the meantime.
        """
        for name, secret in self.made.items():
            if self._file.get_or_keep(name, partial(Secret, secret.reveal())) != secret:
                raise InvalidInput(
                    f"{self._file.path}: another run has generated {name} in the meantime", "run the same command again"
                )
        self.made.clear()
        if self._found:
            self._file.join(ADOPTED, [key.reveal() for key in self._found])
            self._found.clear()

    def _once(self, key: Hashable, find: Callable[[], Secret]) -> Secret:
        """Look up each key once, different ones in parallel, because a command may be slow."""
        with self._guard:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._cache:
                self._cache[key] = find()
            return self._cache[key]


def _fit(name: str, secret: Secret, where: str) -> Secret:
    """Return `secret` if Airflow and PostgreSQL accept it; InvalidInput does not show it."""
    try:
        check_text(secret.reveal())
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}") from None
    if name == "fernet_key" and not re.fullmatch(FERNET_KEY, secret.reveal()):
        raise InvalidInput(f"{where}: not a Fernet key; expected {FERNET_KEY_RIGHT}")
    return secret
