"""The controller's own machine: its files, environment, commands and terminal. Nothing else touches it."""

from __future__ import annotations

import fcntl
import getpass
import glob
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock

import yaml

from aerodrome.errors import InvalidInput
from aerodrome.fleet import Fleet
from aerodrome.inventory import parse
from aerodrome.localfiles import expand, hosts_file, read_text
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

COMMAND_TIMEOUT = 60  # seconds
PROMPT_TRIES = 3
LEFT_OVER = 60  # seconds; a younger temporary file may be another run's, where the file system knows no locks
ADOPTED = "adopted_fernet_keys"  # their name in secrets.yaml

_terminal = Lock()  # one question at a time

_SECRETS_HEADER = """\
# The secrets of this fleet that hosts.yaml does not give, made by Aerodrome. Keep this file out of version
# control, and back it up: without its Fernet keys nobody can read the connections that Airflow has stored.
"""


def performer() -> str:
    """Return who runs this: $AERODROME_PERFORMER, else the user and machine, as one line of at most 200 characters."""
    try:
        who = os.environ.get("AERODROME_PERFORMER") or f"{getpass.getuser()}@{os.uname().nodename}"
    except (KeyError, OSError):  # a user without a name, as containers have
        who = f"uid {os.getuid()}@{os.uname().nodename}"
    return "".join(letter if letter.isprintable() else "?" for letter in who)[:200]


def load(path: str | None = None) -> Fleet:
    """Return the fleet of `path`, else of $AERODROME_HOSTS, else of hosts.yaml here or beside the fabfile.

    Local paths in it are absolute. Raises InvalidInput when the file cannot be read or holds mistakes.
    """
    source = path or os.environ.get("AERODROME_HOSTS") or str(hosts_file())
    file = Path(expand(source, "AERODROME_HOSTS: "))
    text = read_text(file, f"{source}: ", "say which file describes your hosts: AERODROME_HOSTS=production.yaml fab …")
    fleet = parse(text, str(file), base=str(file.absolute().parent), resolve=resolve)
    return _at_home(fleet)


def _at_home(fleet: Fleet) -> Fleet:
    """Return `fleet` with every ~ replaced by the home folder."""
    airflow, deploy = fleet.airflow, fleet.deploy

    def home(path: str | None, key: str) -> str | None:
        return path and expand(path, f"{fleet.source}: {key}: ")

    return replace(
        fleet,
        hosts={name: replace(host, key=home(host.key, f"hosts.{name}.key")) for name, host in fleet.hosts.items()},
        airflow=replace(
            airflow,
            lock=home(airflow.lock, "airflow.lock"),
            constraints=home(airflow.constraints, "airflow.constraints"),
            config_file=home(airflow.config_file, "airflow.config_file"),
        ),
        deploy=replace(deploy, dags=home(deploy.dags, "deploy.dags")),
        ssh=replace(fleet.ssh, known_hosts=expand(fleet.ssh.known_hosts, f"{fleet.source}: ssh.known_hosts: ")),
    )


def resolve(reference: Reference) -> str:
    """Look up the value that `reference` names; InvalidInput begins with its file, line and key."""
    look_up = {"env": _from_env, "file": _from_file, "command": _from_command, "prompt": _from_prompt}
    text = look_up[reference.kind](reference)
    if not text:
        raise _failed(reference, "gives nothing", "a value must have at least one character")
    try:
        check_text(text)
    except ValueError as error:
        raise _failed(reference, str(error)) from None
    return text


def _failed(reference: Reference, problem: str, hint: str = "") -> InvalidInput:
    return InvalidInput(f"{reference.where}: !{reference.kind} {problem}", hint)


def _from_env(reference: Reference) -> str:
    name = reference.argument
    value = os.environ.get(name, "")
    if not value:
        state = "is empty" if name in os.environ else "is not set"
        raise _failed(reference, f"{name}: the variable {state}", f"export {name}=… before you run fab")
    return value


def _from_file(reference: Reference) -> str:
    file = Path(reference.folder, expand(reference.argument, f"{reference.where}: !file: "))
    return _without_last_newline(read_text(file, f"{reference.where}: !file: "))


def _from_command(reference: Reference) -> str:
    """Run the command without a shell, in the folder of hosts.yaml; what it printed is never shown."""
    try:
        argv = shlex.split(reference.argument)
    except ValueError as error:
        raise _failed(reference, f"its quotes do not match: {error}") from None
    if not argv or "\0" in reference.argument:
        raise _failed(reference, "names no program", 'give it as in !command "vault kv get -field=password secret/x"')
    program = argv[0]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT,
            cwd=reference.folder or None,
        )
        text = done.stdout.decode()
    except subprocess.TimeoutExpired:
        raise _failed(reference, f"{program}: no answer within {COMMAND_TIMEOUT} s") from None
    except OSError as error:
        raise _failed(reference, f"{program}: cannot be run: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _failed(reference, f"{program}: what it prints is not UTF-8 text") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _failed(reference, ": ".join([program, f"exit code {done.returncode}", *said[-1:]]))
    return _without_last_newline(text)


def _without_last_newline(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r")


def _from_prompt(reference: Reference) -> str:
    if not sys.stdin.isatty():
        raise _failed(
            reference,
            "needs a terminal, and there is none",
            "run fab in a terminal, or give the value by !env NAME, !file PATH or !command",
        )
    with _terminal, suppress(EOFError):
        for _ in range(PROMPT_TRIES):
            first = getpass.getpass(f"{reference.argument}: ")
            if first and first == getpass.getpass(f"{reference.argument}, again: "):
                return first
            print("The two are not the same." if first else "That was nothing.", file=sys.stderr)
    raise _failed(reference, "got no answer that was the same twice")


class SecretsFile:
    """secrets.yaml: name → secret, for the owner's eyes only; made when the first secret is kept."""

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.realpath(path))  # a link stays a link

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None; InvalidInput when others can read the file."""
        return self._all().get(name)

    def put(self, name: str, value: Secret) -> None:
        """Keep `value` under `name`, in place of what was there."""
        with self._alone():
            self._write({**self._all(), name: value})

    def get_or_keep(self, name: str, make: Callable[[], Secret]) -> Secret:
        """Return the secret kept under `name`, else make and keep it: once, also when two runs ask."""
        with self._alone():
            kept = self._all()
            if name not in kept:
                kept[name] = make()
                self._write(kept)
            return kept[name]

    def join(self, name: str, values: Iterable[str]) -> None:
        """Add `values` to those kept under `name`, with commas between: none is lost, also when two runs add some."""
        with self._alone():
            kept = self._all()
            before = kept[name].reveal().split(",") if name in kept else []
            self._write({**kept, name: Secret(",".join(dict.fromkeys([*before, *values])))})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold a lock on the folder: one on the file would be lost when the file is replaced."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be used: {error.strerror}") from None
        try:
            with suppress(OSError):  # NFS knows no lock on a folder; the file still arrives whole
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _all(self) -> dict[str, Secret]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be read: {error.strerror}") from None
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{self.path}: not a file; the fleet's secrets go there", "move it away")
        if mode & 0o077:
            raise InvalidInput(
                f"{self.path}: others can read or write it (mode {mode:04o})",
                f"chmod 600 {shlex.quote(str(self.path))}; change its secrets if others may have seen them",
            )
        try:
            # libyaml, where PyYAML has it, takes a tenth of the time.
            kept = yaml.load(read_text(self.path, ""), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # its words may quote a secret
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise InvalidInput(f"{self.path}{line}: not YAML", "restore your backup") from None
        if not isinstance(kept, dict):
            raise InvalidInput(f"{self.path}: not lines of a name and its text", "restore your backup")
        for name, text in kept.items():
            if not isinstance(text, str) or not text:
                raise InvalidInput(f"{self.path}: {name}: not text; put it in quotes")
        return {str(name): Secret(text) for name, text in kept.items()}

    def _write(self, secrets: Mapping[str, Secret]) -> None:
        plain = {name: secret.reveal() for name, secret in secrets.items()}
        text = _SECRETS_HEADER + yaml.safe_dump(plain, allow_unicode=True, width=1000)
        try:
            self._clean()
            descriptor, beside = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")  # 0600
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(beside, self.path)
            except BaseException:
                os.unlink(beside)
                raise
        except OSError as error:
            raise InvalidInput(f"{self.path}: cannot be written: {error.strerror}") from None

    def _clean(self) -> None:
        """Remove what a run that was killed while it wrote has left; it holds every secret."""
        for left in self.path.parent.glob(f".{glob.escape(self.path.name)}.????????"):
            if left.is_file() and time.time() - left.stat().st_mtime > LEFT_OVER:
                left.unlink(missing_ok=True)


def secrets_path(hosts: Path) -> Path:
    """Return the secrets file of a hosts file: two fleets in one folder must not share passwords."""
    return hosts.with_name("secrets.yaml" if hosts.name == "hosts.yaml" else f"{hosts.stem}.secrets.yaml")


class Vault:
    """Every secret and referenced value of a fleet, each looked up once a run, by whichever thread is first.

    A secret that nobody gave is made; `keep` writes those that were made into secrets.yaml beside hosts.yaml.
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
        self.made: dict[str, Secret] = {}  # in this run, and not kept yet
        self._found: list[Secret] = []  # Fernet keys that were found on hosts in this run, and not kept yet
        self._cache: dict[Hashable, Secret] = {}
        self._locks: dict[Hashable, Lock] = {}
        self._guard = Lock()

    def secret(self, name: str) -> Secret:
        """Return `database_password`, `redis_password`, `celery_password`, `fernet_key`, `secret_key` or `jwt_secret`.

        Raises InvalidInput when its reference cannot be looked up, or secrets.yaml cannot be used.
        """
        given = self._given[name]
        if isinstance(given, Secret):
            return given
        return self._once(name, lambda: self._find(name, given))

    def fernet_keys(self) -> Secret:
        """Return all Fernet keys of the fleet: that which encrypts, then those adopted from hosts, with commas between.

        Raises InvalidInput as `secret` does.
        """
        keys = [*self.secret("fernet_key").reveal().split(","), *self._adopted()]
        return Secret(",".join(dict.fromkeys(keys)))

    def adopt(self, keys: Iterable[Secret]) -> None:
        """Take in Fernet keys that were found on hosts: what they encrypted stays readable."""
        self._found += keys

    def _adopted(self) -> list[str]:
        kept = self._file.get(ADOPTED)
        if kept:
            _fit("fernet_key", kept, f"{self._file.path}: {ADOPTED}")
        return [*(kept.reveal().split(",") if kept else ()), *(key.reveal() for key in self._found)]

    def value(self, value: Value | SecretValue) -> str | Secret:
        """Return a plain value as it is, and what a reference names as a Secret."""
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
        """Write the secrets that were made into secrets.yaml, before anything on a host depends on them.

        Raises InvalidInput where another run has made others meanwhile.
        """
        for name, secret in self.made.items():
            if self._file.get_or_keep(name, partial(Secret, secret.reveal())) != secret:
                raise InvalidInput(f"{self._file.path}: another run has made {name} meanwhile", "run the same again")
        self.made.clear()
        if self._found:
            self._file.join(ADOPTED, [key.reveal() for key in self._found])
            self._found.clear()

    def _once(self, key: Hashable, find: Callable[[], Secret]) -> Secret:
        """Look up each key once; different ones at the same time, as a command may take its while."""
        with self._guard:
            lock = self._locks.setdefault(key, Lock())
        with lock:
            if key not in self._cache:
                self._cache[key] = find()
            return self._cache[key]


def _fit(name: str, secret: Secret, where: str) -> Secret:
    """Return `secret` when Airflow and PostgreSQL can take it; InvalidInput does not show it."""
    try:
        check_text(secret.reveal())
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}") from None
    if name == "fernet_key" and not re.fullmatch(FERNET_KEY, secret.reveal()):
        raise InvalidInput(f"{where}: not a Fernet key; give {FERNET_KEY_RIGHT}")
    return secret
