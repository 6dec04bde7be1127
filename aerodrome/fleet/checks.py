"""Rules that span several keys of hosts.yaml."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from aerodrome.catalogue.settings import rename
from aerodrome.fleet.keys import HOST, HOST_NAME, ip_of
from aerodrome.fleet.model import Airflow, Backup, Broker, Database, Deploy, Host
from aerodrome.fleet.reader import KeyPath, Reader, suggest
from aerodrome.fleet.reserved import backup_problem, home_problem, service_problem
from aerodrome.fleet.role import Role, Sections, version_of

MAX_NAME = 63  # characters in a PostgreSQL name; longer names are silently truncated
# Variables that are derived from other keys of hosts.yaml.
_OWNED = {
    "PATH": "remove it: the virtual environment's programs come first, then the system's",
    "AIRFLOW_HOME": "set airflow.home",
    "AIRFLOW__CORE__EXECUTOR": "set airflow.executor",
    "AIRFLOW__CORE__FERNET_KEY": "set airflow.fernet_key",
    "AIRFLOW__CORE__FERNET_KEY_CMD": "set airflow.fernet_key_command",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN": "use the section database",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN_CMD": "set database.connection_command",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "use the section database",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD": "set database.connection_command",
    "AIRFLOW__CELERY__BROKER_URL": "set broker.url",
    "AIRFLOW__CELERY__BROKER_URL_CMD": "set broker.url_command",
    "AIRFLOW__CELERY__RESULT_BACKEND": "set broker.result_backend",
    "AIRFLOW__CELERY__RESULT_BACKEND_CMD": "set broker.result_backend_command",
    "AIRFLOW__WEBSERVER__SECRET_KEY": "set airflow.secret_key",
    "AIRFLOW__API__SECRET_KEY": "set airflow.secret_key",
    "AIRFLOW__API_AUTH__JWT_SECRET": "set airflow.jwt_secret",
    "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": "set airflow.web_port",
    "AIRFLOW__API__PORT": "set airflow.web_port",
    "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "set listen: on the web server's host",
    "AIRFLOW__API__HOST": "set listen: on the web server's host",
}


def check_roles(reader: Reader, found: Sections, roles: Iterable[Role]) -> None:
    """Refuse unknown hosts in roles, and report what each role itself finds wrong."""
    hosts = found["hosts"]
    for name, names in found["roles"].items():
        for number, host in enumerate(names or ()):
            if hosts and host is not None and host not in hosts:
                reader.mistake(("roles", name, number), f"no host is named {host}; {suggest(host, hosts)}")
    for role in roles:
        for message in role.mistakes(found):
            reader.mistake(("roles", role.name), message)


def _check_addresses(reader: Reader, found: Sections) -> None:
    dns = found["deploy"].get("dns", Deploy.dns)
    taken: dict[tuple[str, int | None], str] = {}
    for name, host in found["hosts"].items():
        given: str | None = host.get("address")
        if host.get("listen") and not ip_of(host["listen"]):
            reader.mistake(("hosts", name, "listen"), f"{host['listen']!r} is not an IP address; use one, or 0.0.0.0")
        if given is None:
            continue
        path = ("hosts", name, "address")
        address = ip_of(given)
        if address is None and not HOST_NAME.fits(given.lower()):
            reader.mistake(path, f"{given!r} is not valid; expected {HOST['address'].right}")
        elif address is None and dns is False:
            reader.mistake(path, f"{given} is a name; use an IP address for /etc/hosts, or set deploy.dns: true")
        elif address and _unreachable(address, alone=len(found["hosts"]) == 1):
            reader.mistake(path, f"{given} cannot be reached from other hosts; use the host's own address")
        place = str(address or given.lower()), host.get("port", found["ssh"].get("port", Host.port))
        if place in taken:
            reader.mistake(path, f"{taken[place]} also has {given}; each host needs its own address")
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
                reader.mistake(("network", "allow", number), f"{error}; use a network such as 10.0.0.0/8")
    if network.get("allow") and not network.get("firewall"):
        reader.mistake(("network", "allow"), "used only by the firewall, which is off; set network.firewall: true")
    names = [name for name, host in found["hosts"].items() if host.get("address") and not ip_of(host["address"])]
    if network.get("firewall") and names:
        message = f"the address of {names[0]} is a name, and the firewall needs IP addresses; use them, or turn it off"
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
            reader.mistake(path, f"the jump hosts form a loop, {circle}; connect to one of them directly")


def _check_owned(reader: Reader, found: Sections) -> None:
    """Refuse variables and airflow.cfg settings that belong to another key of hosts.yaml."""
    places: list[tuple[KeyPath, dict[str, Any]]] = [(("airflow",), found["airflow"])]
    places += [(("hosts", name), given) for name, given in found["hosts"].items()]
    places += [(("roles", role), given) for role, given in found["role_settings"].items()]
    major = version_of(found)[0]
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
            reader.mistake(("airflow", key), "not used if pinned is false; remove one of the two")
    _refuse_both(reader, airflow, "airflow", "lock", "constraints")
    _refuse_both(reader, airflow, "airflow", "fernet_key", "fernet_key_command")


def check_reserved(reader: Reader, airflow: dict[str, Any]) -> None:
    """Refuse directories and unit names that belong to the system."""
    if problem := home_problem(airflow.get("home") or Airflow.home):
        reader.mistake(("airflow", "home"), f"{problem}; use a directory of Airflow's own, such as {Airflow.home}")
    if problem := service_problem(airflow.get("service") or Airflow.service):
        reader.mistake(("airflow", "service"), f"{problem}; choose another, such as {Airflow.service}")


def _refuse_both(reader: Reader, given: dict[str, Any], section: str, one: str, other: str) -> None:
    if given.get(one) and given.get(other):
        reader.mistake((section, other), f"{one} is set too; remove one of the two")


def _check_database(reader: Reader, found: Sections) -> None:
    database, roles = found["database"], found["roles"]

    def wrong(key: str, message: str) -> None:
        reader.mistake(("database", key), message)

    if database.get("managed", True):
        if database.get("host"):
            wrong("host", "the database runs on the host with the role database; remove it, or set managed: false")
        return
    if "host" not in database:
        wrong("managed", "false, but the database's address is unknown; set database.host")
    if not database.get("password") and not database.get("connection_command"):
        wrong("managed", "false, but there is no login; set database.password or database.connection_command")
    if database.get("install"):
        wrong("install", "nothing is installed if managed is false; remove it")
    if roles.get("database"):
        reader.mistake(("roles", "database"), "database.managed is false; remove one of the two")


def _check_broker(reader: Reader, found: Sections) -> None:
    broker, database, redis = found["broker"], found["database"], bool(found["roles"].get("redis"))

    def wrong(key: str, message: str) -> None:
        reader.mistake(("broker", key), message)

    if found["airflow"].get("executor") == "LocalExecutor":
        for key in broker:
            wrong(key, "LocalExecutor does not use a broker; remove it")
        if redis:
            reader.mistake(("roles", "redis"), "LocalExecutor does not use a broker; remove the role")
        return
    _refuse_both(reader, broker, "broker", "url", "url_command")
    _refuse_both(reader, broker, "broker", "result_backend", "result_backend_command")
    for key in ("url", "url_command"):
        if redis and broker.get(key):
            wrong(key, "the role redis is the broker; remove one of the two")
    for key in ("password", "port"):
        if broker.get(key) and not redis:
            wrong(key, "used only by the role redis, which has no host; put it into broker.url")
    _check_separate(reader, found)
    if not database.get("connection_command"):
        return
    # Only the nodes know the database URL, so Celery's URLs cannot be derived from it.
    where = ("database", "connection_command")
    if not redis and not broker.get("url") and not broker.get("url_command"):
        reader.mistake(where, "this requires a broker; set broker.url_command or broker.url, or use the role redis")
        return
    if broker.get("result_backend") or broker.get("result_backend_command"):
        return
    if version_of(found) < (2, 0):
        reader.mistake(where, "with this, Airflow 1.10 needs a result backend; set broker.result_backend_command")
    elif version_of(found) >= (3, 0) and not (redis and broker.get("separate", Broker.separate)):
        message = "Airflow 3 workers do not run it, and need a result backend"
        reader.mistake(where, f"{message}; set broker.result_backend_command, or use the role redis")


def _check_separate(reader: Reader, found: Sections) -> None:
    broker, database = found["broker"], found["database"]
    if "separate" in broker and version_of(found) < (3, 0):
        message = "before Airflow 3, workers need the metadata database itself; remove it"
        reader.mistake(("broker", "separate"), message)
    if version_of(found) < (3, 0) or not broker.get("separate", Broker.separate):
        return
    for key, default in (("name", Database.name), ("user", Database.user)):
        if len(database.get(key) or default) > MAX_NAME - len("_celery"):
            message = f"too long: Celery's own has the same name plus _celery, and the limit is {MAX_NAME} characters"
            reader.mistake(("database", key), message)


def _check_backup(reader: Reader, found: Sections) -> None:
    backup, managed = found["backup"], found["database"].get("managed", True)
    if backup.get("schedule") and not managed:
        message = "only the database's own host backs it up on schedule, and database.managed is false; remove it"
        reader.mistake(("backup", "schedule"), message)
    folder, home = backup.get("directory"), found["airflow"].get("home") or Airflow.home
    if folder and (problem := backup_problem(folder)):
        reader.mistake(("backup", "directory"), f"{problem}; use a directory of its own, such as {Backup.directory}")
    if folder and f"{folder}/".startswith(f"{home.rstrip('/')}/"):
        message = f"{home} is AIRFLOW_HOME, parts of which belong to the service user; use another directory"
        reader.mistake(("backup", "directory"), message)


# Rules that apply with or without roles.
CHECKS = (
    _check_addresses,
    _check_jumps,
    _check_network,
    _check_owned,
    _check_database,
    _check_broker,
    _check_install,
    _check_backup,
)
