"""Turn the text of hosts.yaml into a Fleet, or say everything that is wrong with it."""

from __future__ import annotations

import ipaddress
import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aerodrome.errors import InvalidInput
from aerodrome.fleet import (
    ROLES,
    SERVICES,
    Airflow,
    Broker,
    Database,
    Deploy,
    Fleet,
    Host,
    Network,
    RoleSettings,
    Ssh,
    Worker,
)
from aerodrome.ports import check_ports
from aerodrome.reserved import home_problem, service_problem
from aerodrome.schema import (
    AnyText,
    Choice,
    CommandLine,
    Either,
    Flag,
    KeyPath,
    Kind,
    List,
    LocalPath,
    Map,
    Number,
    Reader,
    SecretText,
    Table,
    Text,
    suggest,
)
from aerodrome.secrets import FERNET_KEY, FERNET_KEY_RIGHT, Reference
from aerodrome.settings import rename

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_PACKAGE = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_PLAIN_PATH = r"(?!.*/\.\.?(/|$))(/[A-Za-z0-9._+-]+)+"

# localhost would lose its own address in /etc/hosts; digits alone would be taken for an address.
HOST_NAME = Text(
    "a host name of small letters, digits and -, such as worker1",
    rf"(?=.{{1,253}}$)(?!localhost($|\.))(?![0-9.]+$){_LABEL}(\.{_LABEL})*",
)
PORT = Number(1, 65535)
MAX_NAME = 63  # characters of a name in PostgreSQL; the rest would be cut off without a word
SECONDS = Number(1, 86400, " (seconds)")
PASSWORD = SecretText("a password")
WEB_SECRET = SecretText("a long random text")
INDEX = SecretText("the http(s) address of a package index", r"https?://[^\s\"'\\]+")
ENVIRONMENT = Map(
    "NAME: value, a line each",
    Text("a name of letters, digits and _, a letter or _ first", r"[A-Za-z_][A-Za-z0-9_]*"),
    AnyText(),
)
CONFIG = Map(
    "sections, each with its keys",
    Text("a section's name of letters, digits, _ and .", r"[A-Za-z][A-Za-z0-9_.]*"),
    Map(
        "key: value, a line each",
        Text("a key of letters, digits and _", r"[A-Za-z][A-Za-z0-9_]*"),
        AnyText(),
    ),
)
URL = r"[a-z][a-z0-9+.-]*://[^\s\"'\\]+"
COMMAND = CommandLine('a command of the nodes, such as "vault kv get -field=dsn secret/airflow-db"')

LOGIN: dict[str, Kind] = {
    "user": Text("a login name of letters, digits and . _ @ -", r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}"),
    "port": PORT,
    "key": LocalPath("the path of a private key"),
    "sudo_password": SecretText("a password of one line", r"[^\n]+"),
}
HOST = Table(
    "its address, as in {address: 10.0.0.1}",
    {
        "address": Text("an IP address, or a name when deploy.dns is true", r"[0-9A-Za-z.:-]{1,253}"),
        **LOGIN,
        "listen": Text("an IP address of the host itself, or 0.0.0.0 for all of them", r"[0-9A-Fa-f.:]{2,45}"),
        "jump": HOST_NAME,
        "worker": Table(
            "queues: and concurrency:",
            {
                "queues": List(
                    "a list of queues: [default, reports]",
                    Text("a queue's name of letters, digits and . _ -", r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
                ),
                "concurrency": Number(1, 1000),
            },
        ),
        "environment": ENVIRONMENT,
        "config": CONFIG,
    },
    required=("address",),
)
HOST_LIST = List("a list of hosts: [worker1, worker2]", HOST_NAME)
SANDBOX: dict[str, Kind] = {
    "sandbox": Choice(("strict", "relaxed", "off")),
    "read_write_paths": List(
        "a list of paths: [/data]", Text("an absolute path of letters, digits and . _ + -", rf"{_PLAIN_PATH}/?")
    ),
}
ROLE = Either(
    HOST_LIST,
    Table(
        "hosts: [worker1, worker2], and environment:, config:, sandbox: or read_write_paths: of the role",
        {"hosts": HOST_LIST, "environment": ENVIRONMENT, "config": CONFIG, **SANDBOX},
        required=("hosts",),
    ),
)
AIRFLOW = Table(
    "the keys of the section airflow",
    {
        "distribution": Text("apache-airflow or astronomer-certified", _PACKAGE),
        "version": Text(
            "an Airflow version such as 3.3.2, 2.11.2 or 1.10.10 (1.10, 2 from 2.3, and 3 are known)",
            r"(1\.10|2\.([3-9]|\d\d)|3\.\d{1,3})\.\d{1,3}(\.\*|\.post\d+|(a|b|rc)\d+)?",
        ),
        "executor": Choice(("CeleryExecutor", "LocalExecutor")),
        "extras": List("a list of extras: [postgres, celery]", Text("an extra's name", _PACKAGE)),
        "python": Text(
            "a command such as python3.11, or its absolute path", rf"{_PLAIN_PATH}|[A-Za-z][A-Za-z0-9._+-]*"
        ),
        "service": Text("a unit's name of small letters, digits and -", r"[a-z][a-z0-9-]{0,63}"),
        "user": Text(
            "a Linux user other than root and aerodrome, of small letters, digits, _ and -",
            r"(?!(root|aerodrome)$)[a-z_][a-z0-9_-]{0,31}",
        ),
        "home": Text(
            "an absolute path of letters, digits and . _ + -, a folder of Airflow's own",
            rf"{_PLAIN_PATH}/?",
        ),
        "lock": LocalPath("the path of a lock file"),
        "constraints": LocalPath("the path of a constraints file"),
        "pinned": Flag(),
        "index_url": INDEX,
        "extra_index_url": INDEX,
        "web_port": Number(1024, 65535, " (lower ones are root's)"),
        "web_workers": Number(1, 256),
        "base_url": Text("an address that begins with http:// or https://", r"https?://[^\s\"'\\<>]+"),
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
            "a database's name of letters, digits and _ $ -, not PostgreSQL's own",
            r"(?!(postgres|template[01])$)[A-Za-z_][A-Za-z0-9_$-]{0,62}",
        ),
        "user": Text(
            "a database user of letters, digits and _ $ -, not PostgreSQL's own",
            r"(?!pg_|(postgres|public|none)$)[A-Za-z_][A-Za-z0-9_$-]{0,62}",
        ),
        "port": PORT,
        "password": PASSWORD,
        "install": Flag(),
        "managed": Flag(),
        "sandbox": Flag(),
        "host": Text("the address or the name of the database server", r"[0-9A-Za-z][0-9A-Za-z.:-]{0,252}"),
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
FLEET = Table(
    "the sections hosts: and roles:, and if need be ssh:, airflow:, database:, broker:, network:, deploy:",
    {
        "hosts": Map("hosts, each with its address", HOST_NAME, HOST),
        "roles": Table(
            f"the roles ({', '.join(ROLES)}), each with its hosts",
            dict.fromkeys(ROLES, ROLE),
        ),
        "ssh": SSH,
        "airflow": AIRFLOW,
        "database": DATABASE,
        "broker": BROKER,
        "network": NETWORK,
        "deploy": DEPLOY,
    },
    required=("hosts", "roles"),
)

Sections = dict[str, dict[str, Any]]  # what was read: every section is there, a value that is wrong is None

# Roles that Airflow has since a version only; where nobody names a host, the first scheduler's takes them.
_SINCE = {"dag-processor": (3, 0), "triggerer": (2, 2)}
# Variables that follow from another key of hosts.yaml.
_OWNED = {
    "PATH": "leave it out: the virtual environment's programs come first, then the system's",
    "AIRFLOW_HOME": "give airflow.home",
    "AIRFLOW__CORE__EXECUTOR": "give airflow.executor",
    "AIRFLOW__CORE__FERNET_KEY": "give airflow.fernet_key",
    "AIRFLOW__CORE__FERNET_KEY_CMD": "give airflow.fernet_key_command",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN": "give the keys of database",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD": "give database.connection_command",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "give the keys of database",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "give database.connection_command",
    "AIRFLOW__CELERY__BROKER_URL": "give broker.url",
    "AIRFLOW__CELERY__BROKER_URL_CMD": "give broker.url_command",
    "AIRFLOW__CELERY__RESULT_BACKEND": "give broker.result_backend",
    "AIRFLOW__CELERY__RESULT_BACKEND_CMD": "give broker.result_backend_command",
    "AIRFLOW__WEBSERVER__SECRET_KEY": "give airflow.secret_key",
    "AIRFLOW__API__SECRET_KEY": "give airflow.secret_key",
    "AIRFLOW__API_AUTH__JWT_SECRET": "give airflow.jwt_secret",
    "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": "give airflow.web_port",
    "AIRFLOW__API__PORT": "give airflow.web_port",
    "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "give listen: of the web server's host",
    "AIRFLOW__API__HOST": "give listen: of the web server's host",
}


def _not_here(reference: Reference) -> str:
    raise InvalidInput(f"{reference.where}: !{reference.kind} is not looked up here; give the value itself")


def parse(text: str, source: str, *, base: str | None = None, resolve: Callable[[Reference], str] = _not_here) -> Fleet:
    """Return the fleet that `text`, the content of hosts.yaml, describes.

    `source` names the file in messages. `base` is its folder, where relative paths begin.
    `resolve` looks up references outside secrets, environment and config: their values are needed at once.
    Raises InvalidInput with every mistake, each as `file:line: key: what is wrong; what would be right`.
    """
    reader = Reader(source, posixpath.dirname(source) if base is None else base, resolve)
    found = reader.document(FLEET, text) or {}
    sections: Sections = {name: found.get(name) or {} for name in FLEET.fields}
    sections["hosts"] = {name: host or {} for name, host in sections["hosts"].items()}
    _part_roles(sections)
    for check in (
        _check_addresses,
        _check_jumps,
        _check_network,
        _check_owned,
        _check_database,
        _check_broker,
        _check_install,
    ):
        check(reader, sections)
    _check_reserved(reader, sections["airflow"])
    if found.get("roles") is not None:
        _check_roles(reader, sections)
        check_ports(reader, sections, _roles(sections), _version(sections))
    if problems := reader.problems():
        raise InvalidInput(problems)
    return _fleet(source, sections)


def _part_roles(found: Sections) -> None:
    """Part what each role says into its hosts, which stay under `roles`, and its `role_settings`."""
    tables = {role: given for role, given in found["roles"].items() if isinstance(given, dict)}
    found["roles"] |= {role: given.get("hosts") for role, given in tables.items()}
    found["role_settings"] = {
        role: {key: value for key, value in given.items() if key != "hosts" and value} for role, given in tables.items()
    }


def _fleet(source: str, found: Sections) -> Fleet:
    login = {key: value for key, value in found["ssh"].items() if key in LOGIN}
    return Fleet(
        source=source,
        hosts={name: _host(name, {**login, **given}) for name, given in found["hosts"].items()},
        roles=_roles(found),
        role_settings={role: RoleSettings(**given) for role, given in found["role_settings"].items() if given},
        airflow=_airflow(found["airflow"]),
        database=Database(**found["database"]),
        broker=Broker(**found["broker"]),
        network=Network(**found["network"]),
        deploy=Deploy(**found["deploy"]),
        ssh=Ssh(**{key: value for key, value in found["ssh"].items() if key not in LOGIN}),
    )


def _host(name: str, given: dict[str, Any]) -> Host:
    address = str(_ip(given["address"]) or given["address"])
    return Host(**{**given, "name": name, "address": address, "worker": Worker(**given.get("worker", {}))})


def _airflow(given: dict[str, Any]) -> Airflow:
    airflow = Airflow(**given)
    if airflow.distribution == "astronomer-certified" and "service" not in given:
        airflow = replace(airflow, service="astronomer-certified")
    return replace(airflow, home=airflow.home.rstrip("/"))


def _roles(found: Sections) -> dict[str, tuple[str, ...]]:
    """Return the hosts of every role, also of those that the first scheduler's host takes by itself."""
    roles = found["roles"]
    own = {role for role, since in _SINCE.items() if _version(found) >= since}
    first = (roles.get("scheduler") or ())[:1]
    return {role: roles.get(role, first if role in own else ()) for role in ROLES}


def _version(found: Sections) -> tuple[int, ...]:
    """Return major and minor; a version that is wrong counts as the default, being a mistake already."""
    version: str = found["airflow"].get("version") or Airflow.version
    return tuple(int(part) for part in version.split(".")[:2])


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _check_roles(reader: Reader, found: Sections) -> None:
    hosts, roles, version = found["hosts"], found["roles"], _version(found)
    executor = found["airflow"].get("executor", Airflow.executor)

    def wrong(role: str, message: str) -> None:
        reader.mistake(("roles", role), message)

    for role, names in roles.items():
        for number, name in enumerate(names or ()):
            if hosts and name is not None and name not in hosts:
                reader.mistake(("roles", role, number), f"no host is named {name}; {suggest(name, hosts)}")
    empty = {role for role in ROLES if roles.get(role, ()) == ()}  # a role that is wrong is None
    ours = ["database"] if found["database"].get("managed", True) else []
    for role in (*ours, "scheduler", "webserver"):
        if role in empty:
            wrong(role, f"no {role}; name a host, as in {role}: [{next(iter(hosts), 'HOST')}]")
    for role in SERVICES:
        if len(roles.get(role) or ()) > 1:
            wrong(role, f"only one host can be the {role}; name one")
        if found["role_settings"].get(role):
            wrong(
                role,
                "only hosts: is known here: everything else is Airflow's, which this role does not run; leave it out",
            )
    if executor == "CeleryExecutor" and "worker" in empty:
        wrong("worker", "no worker, and CeleryExecutor needs one; name a host, or set executor: LocalExecutor")
    if executor == "LocalExecutor" and roles.get("worker"):
        wrong("worker", "LocalExecutor uses no workers; leave them out, or set executor: CeleryExecutor")
    for role, since in _SINCE.items():
        if roles.get(role) and version < since:
            wrong(role, f"Airflow {version[0]}.{version[1]} runs no {role} of its own; leave the role out")
    if roles.get("dag-processor") == () and version >= _SINCE["dag-processor"]:
        wrong(
            "dag-processor",
            "no host, and Airflow 3 reads no DAG without one; name one, or leave the role out",
        )
    if len(roles.get("scheduler") or ()) > 1 and version < (2, 0):
        wrong("scheduler", "Airflow 1.10 can have one scheduler only; name one host")


def _check_addresses(reader: Reader, found: Sections) -> None:
    dns = found["deploy"].get("dns", Deploy.dns)
    taken: dict[tuple[str, int | None], str] = {}
    for name, host in found["hosts"].items():
        given: str | None = host.get("address")
        if host.get("listen") and not _ip(host["listen"]):
            reader.mistake(("hosts", name, "listen"), f"{host['listen']!r} is no IP address; give one, or 0.0.0.0")
        if given is None:
            continue
        path = ("hosts", name, "address")
        address = _ip(given)
        if address is None and not HOST_NAME.fits(given.lower()):
            reader.mistake(path, f"{given!r} does not fit; give {HOST.fields['address'].right}")
        elif address is None and dns is False:
            reader.mistake(path, f"{given} is a name; give an IP address for /etc/hosts, or set deploy.dns: true")
        elif address and _unreachable(address, alone=len(found["hosts"]) == 1):
            reader.mistake(path, f"{given} cannot be reached from other hosts; give the host's own address")
        place = str(address or given.lower()), host.get("port", found["ssh"].get("port", Host.port))
        if place in taken:
            reader.mistake(path, f"{taken[place]} has {given} too; give each host an address of its own")
        taken.setdefault(place, name)


def _unreachable(address: ipaddress.IPv4Address | ipaddress.IPv6Address, alone: bool) -> bool:
    return address.is_unspecified or address.is_multicast or (address.is_loopback and not alone)


def _check_network(reader: Reader, found: Sections) -> None:
    network = found["network"]
    for number, text in enumerate(network.get("allow") or ()):
        try:
            ipaddress.ip_network(text)
        except (ValueError, TypeError) as error:
            if text is not None:
                reader.mistake(("network", "allow", number), f"{error}; give a network such as 10.0.0.0/8")
    if network.get("allow") and not network.get("firewall"):
        reader.mistake(("network", "allow"), "it is the firewall's, which is off; set network.firewall: true")
    names = [name for name, host in found["hosts"].items() if host.get("address") and not _ip(host["address"])]
    if network.get("firewall") and names:
        message = (
            f"the address of {names[0]} is a name, and the firewall needs IP addresses; give them, or leave it out"
        )
        reader.mistake(("network", "firewall"), message)


def _check_jumps(reader: Reader, found: Sections) -> None:
    hosts = found["hosts"]
    jumps = {name: host["jump"] for name, host in hosts.items() if host.get("jump")}
    for name, jump in jumps.items():
        path = ("hosts", name, "jump")
        way = [name]
        while way[-1] in jumps and jumps[way[-1]] not in way:
            way.append(jumps[way[-1]])
        if jump not in hosts:
            reader.mistake(path, f"no host is named {jump}; {suggest(jump, hosts)}")
        elif jumps.get(way[-1]) == name:
            circle = " → ".join([*way, name])
            reader.mistake(path, f"goes in a circle, {circle}; one of them must be reached directly")


def _check_owned(reader: Reader, found: Sections) -> None:
    """Refuse variables, and settings of airflow.cfg, that say what another key of hosts.yaml says."""
    places: list[tuple[KeyPath, dict[str, Any]]] = [(("airflow",), found["airflow"])]
    places += [(("hosts", name), given) for name, given in found["hosts"].items()]
    places += [(("roles", role), given) for role, given in found["role_settings"].items()]
    major = _version(found)[0]
    for place, given in places:
        for name in given.get("environment") or {}:
            _refuse_owned(reader, (*place, "environment", name), name)
        for section, keys in (given.get("config") or {}).items():
            for key in keys or {}:
                today = "__".join(rename(major, section, key))
                _refuse_owned(reader, (*place, "config", section, key), f"AIRFLOW__{today}".upper().replace(".", "_"))


def _refuse_owned(reader: Reader, path: KeyPath, variable: str) -> None:
    if instead := _OWNED.get(variable):
        reader.mistake(path, f"Aerodrome sets this itself; {instead}")


def _check_install(reader: Reader, found: Sections) -> None:
    airflow = found["airflow"]
    for key in ("lock", "constraints"):
        if airflow.get(key) and airflow.get("pinned") is False:
            reader.mistake(("airflow", key), "not used when pinned is false; leave out one of the two")
    _refuse_both(reader, airflow, "airflow", "lock", "constraints")
    _refuse_both(reader, airflow, "airflow", "fernet_key", "fernet_key_command")


def _check_reserved(reader: Reader, airflow: dict[str, Any]) -> None:
    """Refuse a folder, and names of units, that belong to the system."""
    if problem := home_problem(airflow.get("home") or Airflow.home):
        reader.mistake(("airflow", "home"), f"{problem}; give a folder of Airflow's own, such as {Airflow.home}")
    if problem := service_problem(airflow.get("service") or Airflow.service):
        reader.mistake(("airflow", "service"), f"{problem}; choose another, such as {Airflow.service}")


def _refuse_both(reader: Reader, given: dict[str, Any], section: str, one: str, other: str) -> None:
    if given.get(one) and given.get(other):
        reader.mistake((section, other), f"{one} says it already; leave out one of the two")


def _check_database(reader: Reader, found: Sections) -> None:
    database, roles = found["database"], found["roles"]

    def wrong(key: str, message: str) -> None:
        reader.mistake(("database", key), message)

    if database.get("managed", True):
        if database.get("host"):
            wrong("host", "the database runs on the host of the role database; leave it out, or set managed: false")
        return
    if "host" not in database:
        wrong("managed", "false, and nobody says where the database is; give database.host")
    if not database.get("password") and not database.get("connection_command"):
        wrong("managed", "false, and no login is known; give database.password or database.connection_command")
    if database.get("install"):
        wrong("install", "nothing is installed where managed is false; leave it out")
    if roles.get("database"):
        reader.mistake(("roles", "database"), "database.managed is false; leave out one of the two")


def _check_broker(reader: Reader, found: Sections) -> None:
    broker, database, redis = found["broker"], found["database"], bool(found["roles"].get("redis"))

    def wrong(key: str, message: str) -> None:
        reader.mistake(("broker", key), message)

    if found["airflow"].get("executor") == "LocalExecutor":
        for key in broker:
            wrong(key, "LocalExecutor has no broker; leave it out")
        if redis:
            reader.mistake(("roles", "redis"), "LocalExecutor has no broker; leave the role out")
        return
    _refuse_both(reader, broker, "broker", "url", "url_command")
    _refuse_both(reader, broker, "broker", "result_backend", "result_backend_command")
    for key in ("url", "url_command"):
        if redis and broker.get(key):
            wrong(key, "the role redis is the broker; leave out one of the two")
    for key in ("password", "port"):
        if broker.get(key) and not redis:
            wrong(key, "it is that of the role redis, which has no host; give broker.url as a whole")
    _check_separate(reader, found)
    if not database.get("connection_command"):
        return
    # The URL of the database is known to the nodes alone: none can be made of it for Celery.
    where = ("database", "connection_command")
    if not redis and not broker.get("url") and not broker.get("url_command"):
        reader.mistake(where, "then the broker must be said too; give broker.url_command, broker.url or the role redis")
        return
    if broker.get("result_backend") or broker.get("result_backend_command"):
        return
    if _version(found) < (2, 0):
        reader.mistake(where, "then Airflow 1.10 must be told its result backend; give broker.result_backend_command")
    elif _version(found) >= (3, 0) and not (redis and broker.get("separate", Broker.separate)):
        message = "the workers of Airflow 3 do not run it, and must be told the result backend"
        reader.mistake(where, f"{message}; give broker.result_backend_command, or the role redis")


def _check_separate(reader: Reader, found: Sections) -> None:
    broker, database = found["broker"], found["database"]
    if "separate" in broker and _version(found) < (3, 0):
        message = "before Airflow 3 the workers need the metadata database itself; leave it out"
        reader.mistake(("broker", "separate"), message)
    if _version(found) < (3, 0) or not broker.get("separate", Broker.separate):
        return
    for key, default in (("name", Database.name), ("user", Database.user)):
        if len(database.get(key) or default) > MAX_NAME - len("_celery"):
            message = f"too long: Celery's own is called the same with _celery after it, {MAX_NAME} characters at most"
            reader.mistake(("database", key), message)
