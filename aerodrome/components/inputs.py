"""Everything that components need: the fleet of hosts.yaml, and the values that it refers to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from urllib.parse import quote

from aerodrome.catalogue.version import DATABASE_URL, NAME_MODULE, Catalogue, Setting, catalogue, url
from aerodrome.components.component import AirflowRole, Component
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Fleet, Host, is_ip
from aerodrome.fleet.role import Version
from aerodrome.resources.installer import ROOT
from aerodrome.resources.tree import Tree
from aerodrome.secrets import Secret

Text = str | Secret
# Prefixes of Celery's URLs for PostgreSQL, as broker and as result backend.
POSTGRES = re.compile(r"(sqla\+|db\+)postgres")


@dataclass(frozen=True)
class Settings:
    """Environment variables, and settings by section and key, from hosts.yaml: for all hosts, one host or one role."""

    environment: Mapping[str, Text] = field(default_factory=dict)
    config: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)

    def variables(self, variable: Callable[[str, str], str]) -> dict[str, Text]:
        """Return everything as variables; `variable` names a section and key. Variables given directly win."""
        found = {variable(section, key): value for section, keys in self.config.items() for key, value in keys.items()}
        return found | dict(self.environment)


@dataclass(frozen=True)
class Inputs:
    """The fleet, with every value that its components put on hosts."""

    fleet: Fleet
    components: Mapping[str, Component]  # by role, in deploy's order
    password: Secret | None  # of the database user; None: only a command on the nodes knows it
    fernet_key: Secret | None  # the keys, comma-separated; None: only a command on the nodes knows them
    secret_key: Secret
    jwt_secret: Secret
    salt: bytes  # for a new SCRAM verifier, 16 bytes
    locks: Mapping[str, str] = field(default_factory=dict)  # Python version → lock file
    uv: str = ""  # requirements file of uv
    constraints: str = ""  # the text of a constraints file
    build: str = ""  # requirements file of the tools that build this version's source distributions
    metadata: str = ""  # uv.toml that corrects what this version's packages require
    settings: Settings = Settings()  # of every node
    host_settings: Mapping[str, Settings] = field(default_factory=dict)  # by host
    role_settings: Mapping[str, Settings] = field(default_factory=dict)  # by role
    redis_password: Secret | None = None
    celery_password: Secret | None = None  # of the login for Celery's own database, if there is one
    broker_url: Secret | None = None  # if hosts.yaml sets it
    result_backend: Secret | None = None
    index_url: Secret | None = None
    extra_index_url: Secret | None = None
    config_file: str | None = None  # the text of airflow.cfg
    dags: Tree | None = None
    accept_downtime: bool = False  # everything may stop for a change of Airflow's version
    force: bool = False  # running tasks that do not finish in time may be killed
    imports: str = ""  # the run that imports all DAGs before nodes use another environment of the same Airflow
    allow_import_errors: bool = False  # even if only the environment in use can import some of them
    rolls_from: str = ""  # another version in use, which uses the same database: units restart one after another
    whole: bool = False  # all roles of all nodes are deployed, and so can halt first
    running: Inputs | None = None  # of the version that runs, if these are those of another one
    made: frozenset[str] = frozenset()  # names of secrets that this run generated, which no host can have yet

    @property
    def catalogue(self) -> Catalogue:
        """Everything specific to the fleet's version of Airflow."""
        return catalogue(self.fleet.airflow.version)

    @property
    def version(self) -> Version:
        """Major and minor of the fleet's version of Airflow."""
        return tuple(int(part) for part in self.fleet.airflow.version.split(".")[:2])

    @property
    def user_home(self) -> str:
        """The service user's home directory, as useradd makes it."""
        return f"/home/{self.fleet.airflow.user}"

    @property
    def place(self) -> str:
        """Root's directory on every node that holds the virtual environments."""
        return f"{ROOT}/{self.fleet.airflow.service}"

    @property
    def venv(self) -> str:
        """The link to the virtual environment in use."""
        return f"{self.place}/venv"

    @property
    def next_venv(self) -> str:
        """The link to the virtual environment that is ready beside the one in use."""
        return f"{self.place}/next"

    @property
    def guide_venv(self) -> str:
        """Where the guide, and Aerodrome 1, put the virtual environment."""
        return f"{self.user_home}/airflow-venv"

    @property
    def unit_file(self) -> str:
        """The template of all units."""
        return f"/etc/systemd/system/{self.fleet.airflow.service}@.service"

    @property
    def environment_file(self) -> str:
        """The environment file that every unit reads."""
        return f"/etc/default/{self.fleet.airflow.service}"

    @property
    def kept_file(self) -> str:
        """A host's own variables, written by hand; every unit reads this file before the environment file."""
        return f"{self.environment_file}.local"

    def role_file(self, role: str) -> str:
        """Return the environment file that only the units of a role read, after the common one."""
        return f"{self.environment_file}-{role}"

    def needs(self, role: str, setting: Setting) -> bool:
        """Tell whether the processes of a role need a secret, given by the name of its setting."""
        return not self.catalogue.secrets_differ or setting in self.role(role).secrets

    def role_for_commands(self, host: Host) -> str:
        """Return the role in whose environment a host runs Airflow's commands; empty if it has none.

        Roles are in the order in which they start, so one that reaches the metadata database comes first.
        """
        return next(iter(self.roles(host)), "")

    def uses_database(self, role: str) -> bool:
        """Tell whether the processes of a role log in to the metadata database themselves."""
        return self.needs(role, DATABASE_URL)

    @property
    def name_file(self) -> str:
        """The Python module that tells Airflow the node's name, in a folder where Airflow looks for modules."""
        return f"{self.fleet.airflow.home}/config/{NAME_MODULE}.py"

    def known_as(self, host: Host) -> str:
        """Return the name that a host's processes report, and that every other host can resolve."""
        return host.address if self.fleet.deploy.dns and not is_ip(host.address) else host.name

    @property
    def web_url(self) -> str:
        """The URL of the web server, or of the first one."""
        web = self.fleet.with_role("webserver")[0]
        return f"http://{web.address}:{self.fleet.airflow.web_port}"

    def unit(self, role: str) -> str:
        """Return the name of a role's unit."""
        return f"{self.fleet.airflow.service}@{role}.service"

    @property
    def database_host(self) -> str:
        """The address or name of the database server."""
        return self.fleet.database.host or self.fleet.with_role("database")[0].address

    @property
    def broker_is_postgres(self) -> bool:
        """Tell whether Celery uses PostgreSQL as broker because hosts.yaml names no other."""
        broker = self.fleet.broker
        elsewhere = self.fleet.roles["redis"] or broker.url or broker.url_command
        return self.fleet.airflow.executor == "CeleryExecutor" and not elsewhere

    @property
    def results_are_in_postgres(self) -> bool:
        """Tell whether Celery stores results in PostgreSQL because hosts.yaml names no other place."""
        broker = self.fleet.broker
        in_redis = self.celery_is_separate and self.fleet.roles["redis"]
        elsewhere = in_redis or broker.result_backend or broker.result_backend_command
        return self.fleet.airflow.executor == "CeleryExecutor" and not elsewhere

    @property
    def celery_is_separate(self) -> bool:
        """Tell whether broker and results need no login to the metadata database."""
        celery = self.fleet.airflow.executor == "CeleryExecutor"
        return celery and self.catalogue.secrets_differ and self.fleet.broker.separate

    @property
    def celery_has_database(self) -> bool:
        """Tell whether broker or results are in a database with its own login, separate from the metadata database."""
        database = self.fleet.database
        ours = self.celery_is_separate and database.managed and not database.connection_command
        return ours and (self.broker_is_postgres or self.results_are_in_postgres)

    @property
    def celery_shares_database(self) -> bool:
        """Tell whether broker or results are in the metadata database, so that each worker knows its password."""
        return (self.broker_is_postgres or self.results_are_in_postgres) and not self.celery_has_database

    @property
    def workers_may_use_database(self) -> bool:
        """Tell whether Celery's workers may log in to the metadata database, with URLs of ours or of hosts.yaml."""
        given = [each.reveal() for each in (self.broker_url, self.result_backend) if each]
        commanded = self.fleet.broker.url_command or self.fleet.broker.result_backend_command
        return self.celery_shares_database or bool(commanded) or any(POSTGRES.match(each) for each in given)

    @property
    def celery_database(self) -> str:
        """The name of Celery's own database."""
        return f"{self.fleet.database.name}_celery"

    @property
    def celery_user(self) -> str:
        """The name of the login that owns Celery's own database."""
        return f"{self.fleet.database.user}_celery"

    def database_url(self, scheme: str) -> Secret:
        """Return the URL of the metadata database for `scheme`: `postgresql+psycopg2`, `sqla+postgresql` …"""
        database = self.fleet.database
        assert self.password is not None  # fleet/checks.py: without a password, commands provide all URLs
        path = quote(database.name, safe="")
        return url(scheme, database.user, self.password, self.database_host, database.port, path)

    def celery_broker_url(self) -> Secret:
        """Return the URL of the broker: from hosts.yaml, else Redis, else PostgreSQL."""
        if self.broker_url:
            return self.broker_url
        if redis := self.fleet.with_role("redis"):
            assert self.redis_password is not None
            return url("redis", "", self.redis_password, redis[0].address, self.fleet.broker.port, "0")
        return self._celery_url("sqla+postgresql")

    @property
    def broker_is_redis(self) -> bool:
        """Whether the broker is known to be Redis: a command on the nodes may know another URL."""
        if self.broker_url:
            return self.broker_url.reveal().startswith(("redis://", "rediss://"))
        return bool(self.fleet.roles["redis"]) and not self.fleet.broker.url_command

    def known_secrets(self) -> list[Secret]:
        """Return all secret values: our own, and those that hosts.yaml gives any host or role."""
        settings = (self.settings, *self.host_settings.values(), *self.role_settings.values())
        given = [value for each in settings for value in each.variables(self.catalogue.variable).values()]
        passwords = (self.password, self.redis_password, self.celery_password, self.broker_url, self.result_backend)
        keys = (self.fernet_key, self.secret_key, self.jwt_secret)
        return [each for each in (*passwords, *keys, *given) if isinstance(each, Secret)]

    def given_variables(self, host: Host, role: str) -> set[str]:
        """Return the names of the variables that hosts.yaml sets for a role on a host."""
        given = self.settings, self.role_settings.get(role, Settings()), self.host_settings.get(host.name, Settings())
        return {name for each in given for name in each.variables(self.catalogue.variable)}

    def celery_result_backend(self) -> Secret | None:
        """Return the URL of the result backend; None if Airflow derives it from the metadata database's."""
        if self.result_backend:
            return self.result_backend
        if self.celery_is_separate and self.fleet.roles["redis"]:
            return self.celery_broker_url()
        if self.fleet.database.connection_command:
            return None
        return self._celery_url("db+postgresql")

    def _celery_url(self, scheme: str) -> Secret:
        if not self.celery_has_database:
            return self.database_url(scheme)
        assert self.celery_password is not None
        server = self.database_host, self.fleet.database.port
        return url(scheme, self.celery_user, self.celery_password, *server, quote(self.celery_database, safe=""))

    @property
    def every_role(self) -> list[AirflowRole]:
        """The roles of Airflow in any version, in the order in which they start."""
        return [each for each in self.components.values() if isinstance(each, AirflowRole)]

    @property
    def version_roles(self) -> list[AirflowRole]:
        """The roles of the fleet's version of Airflow, in the order in which they start."""
        return [role for role in self.every_role if self.catalogue.major in role.commands]

    def role(self, name: str) -> AirflowRole:
        """Return a role of Airflow by its name."""
        component = self.components[name]
        assert isinstance(component, AirflowRole), f"{name} runs no Airflow"
        return component

    def roles_on(self, host: Host) -> list[AirflowRole]:
        """Return a host's roles of Airflow, in the order in which they start."""
        return [role for role in self.version_roles if host.name in self.fleet.roles[role.name]]

    def roles(self, host: Host) -> list[str]:
        """Return the names of a host's roles of Airflow, in the order in which they start."""
        return [role.name for role in self.roles_on(host)]
