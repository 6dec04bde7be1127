"""All that a blueprint needs: hosts.yaml's fleet, and what it refers to, looked up already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aerodrome.airflow import Catalogue, catalogue, database_url
from aerodrome.fleet import Fleet, Host
from aerodrome.resources.tree import Tree
from aerodrome.secrets import Secret

Text = str | Secret


@dataclass(frozen=True)
class Inputs:
    """The fleet with every value that its blueprints put on hosts."""

    fleet: Fleet
    password: Secret  # of the database user
    fernet_key: Secret
    secret_key: Secret
    jwt_secret: Secret
    salt: bytes  # for a new SCRAM verifier, 16 bytes
    locks: Mapping[str, str] = field(default_factory=dict)  # Python version → lock file
    uv: str = ""  # requirements file of uv
    build: str = ""  # requirements file of what builds the version's source distributions
    metadata: str = ""  # uv.toml with what the version's packages require
    environment: Mapping[str, Text] = field(default_factory=dict)
    host_environment: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)  # by host
    config: Mapping[str, Mapping[str, Text]] = field(default_factory=dict)
    index_url: Secret | None = None
    extra_index_url: Secret | None = None
    config_file: str | None = None  # the text of airflow.cfg
    dags: Tree | None = None
    made: frozenset[str] = frozenset()  # names of secrets that this run has made, and no host can have yet

    @property
    def catalogue(self) -> Catalogue:
        """What is particular to the fleet's version of Airflow."""
        return catalogue(self.fleet.airflow.version)

    @property
    def user_home(self) -> str:
        """The service user's home directory, as useradd makes it."""
        return f"/home/{self.fleet.airflow.user}"

    @property
    def venv(self) -> str:
        """The link to the virtual environment in use."""
        return f"{self.user_home}/airflow-venv"

    @property
    def environment_file(self) -> str:
        """The file that every unit reads."""
        return f"/etc/default/{self.fleet.airflow.service}"

    @property
    def web_url(self) -> str:
        """Where the web server answers; the first one, where there are several."""
        web = self.fleet.with_role("webserver")[0]
        return f"http://{web.address}:{self.fleet.airflow.web_port}"

    def unit(self, role: str) -> str:
        """Return the name of a role's unit."""
        return f"{self.fleet.airflow.service}@{role}.service"

    def database_url(self, scheme: str) -> Secret:
        """Return the URL of the metadata database for `scheme`: `postgresql+psycopg2`, `sqla+postgresql` …"""
        database = self.fleet.database
        host = self.fleet.with_role("database")[0].address
        return database_url(scheme, database.user, self.password, host, database.port, database.name)

    def roles(self, host: Host) -> list[str]:
        """Return the Airflow roles of a host, in the order in which they start."""
        return [role for role in self.catalogue.roles if host.name in self.fleet.roles[role]]
