"""The fleet that hosts.yaml describes, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from aerodrome.dataclass import dataclass
from aerodrome.secrets import SecretValue, Value

Config = Mapping[str, Mapping[str, Value]]  # section → key → value


def is_ip(address: str) -> bool:
    """Tell whether an address is IPv4 or IPv6, and not a DNS name."""
    return ":" in address or address.replace(".", "").isdigit()


@dataclass(frozen=True)
class Host:
    """One machine: how it is reached, and what is particular to it."""

    name: str
    address: str
    user: str = "root"
    port: int = 22
    key: str | None = None  # path of a private key, absolute (hosts.yaml's folder is the base)
    jump: str | None = None  # name of another host, through which this one is reached
    sudo_password: SecretValue | None = None
    of_role: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict
    )  # role → what the host says of its part in it
    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    listen: str = ""  # address that its services listen on; empty: `address`


@dataclass(frozen=True)
class RoleSettings:
    """What is particular to the processes of one role, on every host that has it."""

    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    sandbox: str = ""  # strict, relaxed or off; empty: that of the section airflow
    read_write_paths: tuple[str, ...] = ()  # beside those of the section airflow


@dataclass(frozen=True)
class Airflow:
    """Which Airflow runs, as whom and where."""

    distribution: str = "apache-airflow"
    version: str = "3.3.2"
    executor: str = "CeleryExecutor"
    extras: tuple[str, ...] | None = None  # None: those of the version
    python: str = "python3"  # a command or an absolute path on the nodes
    service: str = "airflow"  # unit <service>@<role>.service and /etc/default/<service>
    user: str = "astro"
    home: str = "/usr/local/airflow"  # AIRFLOW_HOME
    lock: str | None = None  # path of a lock file, absolute; None: the one that ships for version and Python
    constraints: str | None = None  # path of a constraints file, absolute: in place of a lock file
    pinned: bool = True  # False: install without either, as the operator says so
    index_url: SecretValue | None = None
    extra_index_url: SecretValue | None = None
    web_port: int = 8080
    web_workers: int | None = None  # processes of the web server; None: Airflow's own default
    base_url: str | None = None
    config_file: str | None = None  # a local airflow.cfg, absolute
    sandbox: str = "strict"  # of the units: strict, relaxed or off
    read_write_paths: tuple[str, ...] = ()  # that processes in a strict sandbox may write to, beside their logs
    environment: Mapping[str, Value] = field(default_factory=dict)
    config: Config = field(default_factory=dict)
    fernet_key: SecretValue | None = None
    fernet_key_command: str | None = None  # run on the node by Airflow, as the service user
    secret_key: SecretValue | None = None
    jwt_secret: SecretValue | None = None


@dataclass(frozen=True)
class Database:
    """The metadata database, which is also the broker and result backend of the guide."""

    name: str = "airflow"
    user: str = "airflow"
    port: int = 5432
    password: SecretValue | None = None
    install: bool = True  # install the distribution's PostgreSQL where there is none
    managed: bool = True  # False: it is somebody else's, and only logged in to
    sandbox: bool = True  # confine the unit of the PostgreSQL that was installed
    host: str | None = None  # address or name of one that is not managed
    connection_command: str | None = None  # prints the whole URL; run on the node by Airflow


@dataclass(frozen=True)
class Broker:
    """What carries tasks from the scheduler to Celery's workers, where it is not the metadata database."""

    url: SecretValue | None = None
    url_command: str | None = None  # prints it; run on the node by Airflow
    result_backend: SecretValue | None = None
    result_backend_command: str | None = None
    password: SecretValue | None = None  # of the role redis
    port: int = 6379  # of the role redis
    separate: bool = True  # from Airflow 3: broker and results need no login of the metadata database


@dataclass(frozen=True)
class Network:
    """Who may reach the fleet's ports, where Aerodrome is to see to that."""

    firewall: bool = False
    allow: tuple[str, ...] = ()  # networks that may reach the web server; empty: everybody


@dataclass(frozen=True)
class Deploy:
    """How a run goes over the fleet."""

    parallel: int = 50  # hosts at once
    drain_timeout: int = 600  # seconds that a worker's running tasks get before they are ended
    health_timeout: int = 180  # seconds from a start until it must be healthy
    migration_timeout: int = 1800  # seconds that the first scheduler's migration may take
    lock_timeout: int = 900  # seconds that a run waits for another one to finish changing the fleet
    dns: bool = False  # True: names come from DNS, /etc/hosts is left alone
    dags: str | None = None  # the local DAG folder, absolute
    keep_releases: int = 3  # DAG folders and virtual environments on a host, the ones in use among them
    probe_timeout: int = 60  # seconds that a host may take to answer a question
    change_timeout: int = 3600  # seconds that one change may take, besides draining and migrating
    output_limit: int = 16  # MB that a host may print in answer to one question, or while it is changed


@dataclass(frozen=True)
class Ssh:
    """How hosts are logged in to, where a host says nothing else."""

    known_hosts: str = "~/.ssh/known_hosts"
    connect_timeout: int = 10  # seconds


@dataclass(frozen=True)
class Fleet:
    """All of hosts.yaml, valid: every role names known hosts, every host has an address of its own."""

    source: str  # path of the file, for messages
    hosts: Mapping[str, Host]
    roles: Mapping[str, tuple[str, ...]]  # every role that there is, in the order of a deploy
    services: tuple[str, ...] = ()  # the roles that run no Airflow
    airflow: Airflow = Airflow()
    role_settings: Mapping[str, RoleSettings] = field(default_factory=dict)
    database: Database = Database()
    broker: Broker = Broker()
    network: Network = Network()
    deploy: Deploy = Deploy()
    ssh: Ssh = Ssh()

    def with_role(self, role: str) -> list[Host]:
        """Return the hosts of `role`, in the order of hosts.yaml."""
        return [self.hosts[name] for name in self.roles[role]]

    @property
    def lock_host(self) -> Host:
        """The host that keeps the fleet's lock: the first database host, else the first scheduler's."""
        return (self.with_role("database") or self.with_role("scheduler"))[0]

    def roles_of(self, host: Host) -> list[str]:
        """Return the roles of `host`, in deploy order."""
        return [role for role, names in self.roles.items() if host.name in names]

    def asked(self) -> list[Host]:
        """Return the hosts that are asked what runs there: all but those that are only passed through."""
        passed = {host.jump for host in self.hosts.values()}
        return [host for host in self.hosts.values() if self.roles_of(host) or host.name not in passed]

    def nodes(self) -> list[Host]:
        """Return the hosts that run Airflow, in the order of hosts.yaml."""
        airflow = {name for role, names in self.roles.items() if role not in self.services for name in names}
        return [host for host in self.hosts.values() if host.name in airflow]
