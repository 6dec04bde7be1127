"""The fleet that hosts.yaml describes, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from aerodrome.dataclass import dataclass
from aerodrome.secrets import SecretValue, Value

Config = Mapping[str, Mapping[str, Value]]  # section → key → value


def is_ip(address: str) -> bool:
    """Tell whether an address is IPv4 or IPv6 rather than a DNS name."""
    return ":" in address or address.replace(".", "").isdigit()


@dataclass(frozen=True)
class Host:
    """One machine: how to reach it, and its own settings."""

    name: str
    address: str
    user: str = "root"
    port: int = 22
    key: str | None = None  # absolute path of a private key (given relative to hosts.yaml)
    jump: str | None = None  # name of the host to connect through
    sudo_password: SecretValue | None = None
    of_role: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # role → the host's settings for that role
    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    listen: str = ""  # address that its services listen on; empty: `address`


@dataclass(frozen=True)
class RoleSettings:
    """The own settings of one role's processes, on every host that has the role."""

    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    sandbox: str = ""  # strict, relaxed or off; empty: as in the section airflow
    read_write_paths: tuple[str, ...] = ()  # in addition to those of the section airflow


@dataclass(frozen=True)
class Airflow:
    """The Airflow to run: which version, as which user, and where."""

    distribution: str = "apache-airflow"
    version: str = "3.3.2"
    executor: str = "CeleryExecutor"
    extras: tuple[str, ...] | None = None  # None: the defaults of the version
    python: str = "python3"  # a command or an absolute path on the nodes
    service: str = "airflow"  # unit <service>@<role>.service and /etc/default/<service>
    user: str = "astro"
    home: str = "/usr/local/airflow"  # AIRFLOW_HOME
    lock: str | None = None  # absolute path of a lock file; None: the shipped one for this version and Python
    constraints: str | None = None  # absolute path of a constraints file, used instead of a lock file
    pinned: bool = True  # False: install without either
    index_url: SecretValue | None = None
    extra_index_url: SecretValue | None = None
    web_port: int = 8080
    web_workers: int | None = None  # web server processes; None: Airflow's own default
    base_url: str | None = None
    config_file: str | None = None  # absolute path of a local airflow.cfg
    sandbox: str = "strict"  # for the units: strict, relaxed or off
    read_write_paths: tuple[str, ...] = ()  # writable in a strict sandbox, in addition to logs
    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    fernet_key: SecretValue | None = None
    fernet_key_command: str | None = None  # run on the node by Airflow, as the service user
    secret_key: SecretValue | None = None
    jwt_secret: SecretValue | None = None


@dataclass(frozen=True)
class Database:
    """The metadata database, which in the guide is also the broker and result backend."""

    name: str = "airflow"
    user: str = "airflow"
    port: int = 5432
    password: SecretValue | None = None
    install: bool = True  # install the distribution's PostgreSQL if there is none
    managed: bool = True  # False: managed elsewhere; nodes only log in to it
    sandbox: bool = True  # confine the unit of the PostgreSQL that we install
    host: str | None = None  # address or name, if not managed
    connection_command: str | None = None  # prints the whole URL; run on the node by Airflow


@dataclass(frozen=True)
class Broker:
    """The broker between the scheduler and Celery workers, if it is not the metadata database."""

    url: SecretValue | None = None
    url_command: str | None = None  # prints the URL; run on the node by Airflow
    result_backend: SecretValue | None = None
    result_backend_command: str | None = None
    password: SecretValue | None = None  # of the role redis
    port: int = 6379  # of the role redis
    separate: bool = True  # from Airflow 3: broker and results use no login of the metadata database


@dataclass(frozen=True)
class Network:
    """Who may reach the fleet's ports, if Aerodrome manages a firewall."""

    firewall: bool = False
    allow: tuple[str, ...] = ()  # networks that may reach the web server; empty: all


@dataclass(frozen=True)
class Deploy:
    """How a run proceeds through the fleet."""

    parallel: int = 50  # hosts at once
    drain_timeout: int = 600  # seconds that a worker's running tasks get to finish
    health_timeout: int = 180  # seconds that a service has to become healthy after a start
    migration_timeout: int = 1800  # seconds that the first scheduler's migration may take
    lock_timeout: int = 900  # seconds that a run waits while another one changes the fleet
    dns: bool = False  # True: names are in DNS, /etc/hosts is left alone
    dags: str | None = None  # absolute path of the local DAG folder
    keep_releases: int = 3  # DAG folders and virtual environments on a host, including those in use
    probe_timeout: int = 60  # seconds that a host may take to answer a question
    change_timeout: int = 3600  # seconds that one change may take, except draining and migrating
    output_limit: int = 16  # MB that a host may print while it answers a question or is changed


@dataclass(frozen=True)
class Backup:
    """Where backups of the metadata database are kept, and how many."""

    keep: int = 7  # older ones are removed after each backup
    directory: str = "/var/lib/aerodrome/backups"  # absolute path on the database host
    schedule: str = ""  # 03:00 by the host's clock, daily; empty: only fab backup makes them


@dataclass(frozen=True)
class Ssh:
    """How to log in to hosts; a host can override it."""

    known_hosts: str = "~/.ssh/known_hosts"
    connect_timeout: int = 10  # seconds


@dataclass(frozen=True)
class Fleet:
    """All of hosts.yaml, validated: every role names known hosts, every host has its own address."""

    source: str  # path of the file, for messages
    hosts: Mapping[str, Host]
    roles: Mapping[str, tuple[str, ...]]  # every existing role, in deploy's order
    services: tuple[str, ...] = ()  # the roles that do not run Airflow
    airflow: Airflow = Airflow()
    role_settings: Mapping[str, RoleSettings] = field(default_factory=dict)
    database: Database = Database()
    broker: Broker = Broker()
    network: Network = Network()
    deploy: Deploy = Deploy()
    backup: Backup = Backup()
    ssh: Ssh = Ssh()

    def with_role(self, role: str) -> list[Host]:
        """Return the hosts of `role`, in the order of hosts.yaml."""
        return [self.hosts[name] for name in self.roles[role]]

    @property
    def lock_host(self) -> Host:
        """The host that keeps the fleet's lock: the first database host, or else the first scheduler host."""
        return (self.with_role("database") or self.with_role("scheduler"))[0]

    def roles_of(self, host: Host) -> list[str]:
        """Return the roles of `host`, in deploy's order."""
        return [role for role, names in self.roles.items() if host.name in names]

    def asked(self) -> list[Host]:
        """Return the hosts that are asked which units they run: all except pure jump hosts."""
        passed = {host.jump for host in self.hosts.values()}
        return [host for host in self.hosts.values() if self.roles_of(host) or host.name not in passed]

    def nodes(self) -> list[Host]:
        """Return the hosts that run Airflow, in the order of hosts.yaml."""
        airflow = {name for role, names in self.roles.items() if role not in self.services for name in names}
        return [host for host in self.hosts.values() if host.name in airflow]
