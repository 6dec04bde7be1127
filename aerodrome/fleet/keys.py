"""The keys of hosts.yaml and their permitted values."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aerodrome.fleet.reader import Kind
from aerodrome.fleet.role import Role
from aerodrome.fleet.schema import (
    AnyText,
    Choice,
    CommandLine,
    Either,
    Flag,
    List,
    LocalPath,
    Map,
    Number,
    SecretText,
    Table,
    Text,
)
from aerodrome.secrets import FERNET_KEY, FERNET_KEY_RIGHT

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PACKAGE = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
PLAIN_PATH = r"(?!.*/\.\.?(/|$))(/[A-Za-z0-9._+-]+)+"

# localhost would lose its own address in /etc/hosts; digits alone would be read as an address.
HOST_NAME = Text(
    "a host name of lowercase letters, digits and -, such as worker1",
    rf"(?=.{{1,253}}$)(?!localhost($|\.))(?![0-9.]+$){_LABEL}(\.{_LABEL})*",
)
PORT = Number(1, 65535)
SECONDS = Number(1, 86400, " (seconds)")
PASSWORD = SecretText("a password")
WEB_SECRET = SecretText("a long random text")
INDEX = SecretText("the http(s) URL of a package index", r"https?://[^\s\"'\\]+")
ENVIRONMENT = Map(
    "NAME: value, one per line",
    Text("a name of letters, digits and _ that does not start with a digit", r"[A-Za-z_][A-Za-z0-9_]*"),
    AnyText(),
)
CONFIG = Map(
    "sections, each with its keys",
    Text("a section name of letters, digits, _ and .", r"[A-Za-z][A-Za-z0-9_.]*"),
    Map(
        "key: value, one per line",
        Text("a key of letters, digits and _", r"[A-Za-z][A-Za-z0-9_]*"),
        AnyText(),
    ),
)
URL = r"[a-z][a-z0-9+.-]*://[^\s\"'\\]+"
COMMAND = CommandLine('a command on the nodes, such as "vault kv get -field=dsn secret/airflow-db"')

LOGIN: dict[str, Kind] = {
    "user": Text("a login name of letters, digits and . _ @ -", r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}"),
    "port": PORT,
    "key": LocalPath("the path of a private key"),
    "sudo_password": SecretText("a one-line password", r"[^\n]+"),
}
HOST: dict[str, Kind] = {
    "address": Text("an IP address, or a name if deploy.dns is true", r"[0-9A-Za-z.:-]{1,253}"),
    **LOGIN,
    "listen": Text("an IP address of the host itself, or 0.0.0.0 for all of them", r"[0-9A-Fa-f.:]{2,45}"),
    "jump": HOST_NAME,
    "environment": ENVIRONMENT,
    "config": CONFIG,
}
HOST_LIST = List("a list of hosts: [worker1, worker2]", HOST_NAME)
SANDBOX: dict[str, Kind] = {
    "sandbox": Choice(("strict", "relaxed", "off")),
    "read_write_paths": List(
        "a list of paths: [/data]", Text("an absolute path of letters, digits and . _ + -", rf"{PLAIN_PATH}/?")
    ),
}
ROLE = Either(
    HOST_LIST,
    Table(
        "hosts: [worker1, worker2], with optional environment:, config:, sandbox: and read_write_paths:",
        {"hosts": HOST_LIST, "environment": ENVIRONMENT, "config": CONFIG, **SANDBOX},
        required=("hosts",),
    ),
)
AIRFLOW = Table(
    "the keys of the section airflow",
    {
        "distribution": Text("apache-airflow or astronomer-certified", _PACKAGE),
        "version": Text(
            "an Airflow version such as 3.3.2, 2.11.2 or 1.10.10 (supported: 1.10, 2 from 2.3, and 3)",
            r"(1\.10|2\.([3-9]|\d\d)|3\.\d{1,3})\.\d{1,3}(\.\*|\.post\d+|(a|b|rc)\d+)?",
        ),
        "executor": Choice(("CeleryExecutor", "LocalExecutor")),
        "extras": List("a list of extras: [postgres, celery]", Text("the name of an extra", _PACKAGE)),
        "python": Text("a command such as python3.11, or its absolute path", rf"{PLAIN_PATH}|[A-Za-z][A-Za-z0-9._+-]*"),
        "service": Text("a unit name of lowercase letters, digits and -", r"[a-z][a-z0-9-]{0,63}"),
        "user": Text(
            "a Linux user of lowercase letters, digits, _ and -, other than root and aerodrome",
            r"(?!(root|aerodrome)$)[a-z_][a-z0-9_-]{0,31}",
        ),
        "home": Text(
            "an absolute path of letters, digits and . _ + -, to a directory of Airflow's own",
            rf"{PLAIN_PATH}/?",
        ),
        "lock": LocalPath("the path of a lock file"),
        "constraints": LocalPath("the path of a constraints file"),
        "pinned": Flag(),
        "index_url": INDEX,
        "extra_index_url": INDEX,
        "web_port": Number(1024, 65535, " (lower ones need root)"),
        "web_workers": Number(1, 256),
        "base_url": Text("a URL that starts with http:// or https://", r"https?://[^\s\"'\\<>]+"),
        "config_file": LocalPath("the path of an airflow.cfg"),
        **SANDBOX,
        "environment": ENVIRONMENT,
        "config": CONFIG,
        "fernet_key": SecretText(FERNET_KEY_RIGHT, FERNET_KEY),
        "fernet_key_command": COMMAND,
        "secret_key": WEB_SECRET,
        "jwt_secret": WEB_SECRET,
    },
)
DATABASE = Table(
    "the keys of the section database",
    {
        "name": Text(
            "a database name of letters, digits and _ $ -, not one of PostgreSQL's own",
            r"(?!(postgres|template[01])$)[A-Za-z_][A-Za-z0-9_$-]{0,62}",
        ),
        "user": Text(
            "a database user of letters, digits and _ $ -, not one of PostgreSQL's own",
            r"(?!pg_|(postgres|public|none)$)[A-Za-z_][A-Za-z0-9_$-]{0,62}",
        ),
        "port": PORT,
        "password": PASSWORD,
        "install": Flag(),
        "managed": Flag(),
        "sandbox": Flag(),
        "host": Text("the address or name of the database server", r"[0-9A-Za-z][0-9A-Za-z.:-]{0,252}"),
        "connection_command": COMMAND,
    },
)
BROKER = Table(
    "the keys of the section broker",
    {
        "url": SecretText("a URL such as amqp://airflow:PASSWORD@10.0.0.9:5672/airflow", URL),
        "url_command": COMMAND,
        "result_backend": SecretText("a URL such as db+postgresql://airflow:PASSWORD@10.0.0.9/airflow", URL),
        "result_backend_command": COMMAND,
        "password": PASSWORD,
        "port": PORT,
        "separate": Flag(),
    },
)
NETWORK = Table(
    "the keys of the section network",
    {
        "firewall": Flag(),
        "allow": List(
            "a list of networks: [10.0.0.0/8]",
            Text("a network such as 10.0.0.0/8, or an IP address", r"[0-9A-Fa-f.:]{2,45}(/\d{1,3})?"),
        ),
    },
)
DEPLOY = Table(
    "the keys of the section deploy",
    {
        "parallel": Number(1, 1000),
        "drain_timeout": SECONDS,
        "health_timeout": SECONDS,
        "migration_timeout": SECONDS,
        "lock_timeout": SECONDS,
        "probe_timeout": SECONDS,
        "change_timeout": SECONDS,
        "output_limit": Number(1, 10_000, " (MB)"),
        "dns": Flag(),
        "dags": LocalPath("the path of the DAG folder"),
        "keep_releases": Number(2, 1000),
    },
)
BACKUP = Table(
    "the keys of the section backup",
    {
        "keep": Number(1, 1000),
        "directory": Text("an absolute path of letters, digits and . _ + -, to a directory for backups", PLAIN_PATH),
        "schedule": Text('a time of day in quotes, such as "03:00"', r"([01][0-9]|2[0-3]):[0-5][0-9]"),
    },
)
SSH = Table(
    "the keys of the section ssh",
    {
        **LOGIN,
        "known_hosts": LocalPath("the path of a known_hosts file"),
        "connect_timeout": Number(1, 600, " (seconds)"),
    },
)
SECTIONS: dict[str, Kind] = {
    "ssh": SSH,
    "airflow": AIRFLOW,
    "database": DATABASE,
    "broker": BROKER,
    "network": NETWORK,
    "deploy": DEPLOY,
    "backup": BACKUP,
}


def fleet_keys(roles: Iterable[Role]) -> Table:
    """Return the keys of hosts.yaml as a whole, with those that belong to `roles`."""
    names = [role.name for role in roles]
    own = {
        role.name: Table(f"{' and '.join(f'{key}:' for key in role.host_keys)}", role.host_keys)
        for role in roles
        if role.host_keys
    }
    host = Table("an address, as in {address: 10.0.0.1}", {**HOST, **own}, required=("address",))
    return Table(
        "the sections hosts: and roles:, and optionally ssh:, airflow:, database:, broker:, network:, deploy:, backup:",
        {
            "hosts": Map("hosts, each with its address", HOST_NAME, host),
            "roles": Table(f"the roles ({', '.join(names)}), each with its hosts", dict.fromkeys(names, ROLE)),
            **SECTIONS,
        },
        required=("hosts", "roles"),
    )


def ip_of(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
