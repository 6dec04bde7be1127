"""A scenario: which Airflow, on which hosts, with which executor and broker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# One host has all roles except the worker's, so that a worker has to find everything by address and name.
HEAD, WORKER, DEBIAN_13, REDIS = "old1", "worker3", "new1", "redis1"
# Where this machine's Python is bound into hosts.
PYTHON_PLACE = "/opt/python"

# These settings only change how often Airflow polls.
CONFIG = """\
    core: {parallelism: 4}
    scheduler: {scheduler_heartbeat_sec: 1, job_heartbeat_sec: 2}
"""


@dataclass(frozen=True)
class Scenario:
    """One combination of version, executor, broker and hosts."""

    name: str
    version: str
    roles: Mapping[str, tuple[str, ...]]
    python: str = ""  # version of a Python of this machine; empty: that of the hosts' Debian
    suites: Mapping[str, str] = field(default_factory=dict)  # host → Debian, where it is not 12
    slow: bool = True  # too slow for every run

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts, in the order in which the roles name them."""
        return tuple(dict.fromkeys(host for hosts in self.roles.values() for host in hosts))

    @property
    def celery(self) -> bool:
        return "worker" in self.roles

    @property
    def task_hosts(self) -> set[str]:
        """The hosts that may run tasks."""
        return set(self.roles["worker" if self.celery else "scheduler"])

    @property
    def expected(self) -> set[tuple[str, str]]:
        """Host and role of every row that `fab status` should show."""
        head = self.roles["scheduler"][0]
        own = {1: (), 2: ("triggerer",), 3: ("dag-processor", "triggerer")}[self.major]
        given = {(host, role) for role, hosts in self.roles.items() for host in hosts}
        return given | {(head, role) for role in own}

    def hosts_yaml(self, addresses: Mapping[str, str], dags: str) -> str:
        """Return the fleet's hosts.yaml; the file `password` next to it holds the password of database and broker."""
        workers = self.roles.get("worker", ())
        hosts = "".join(
            f"  {host}: {{address: {addresses[host]}{', worker: {concurrency: 2}' if host in workers else ''}}}\n"
            for host in self.hosts
        )
        roles = "".join(f"  {role}: [{', '.join(hosts)}]\n" for role, hosts in self.roles.items())
        broker = "broker: {password: !file password}\n" if "redis" in self.roles else ""
        python = f"  python: {PYTHON_PLACE}/bin/python{self.python}\n" if self.python else ""
        return (
            "ssh: {key: id_ed25519, known_hosts: known_hosts}\n"
            f"hosts:\n{hosts}"
            f"roles:\n{roles}"
            "airflow:\n"
            f"  version: {self.version}\n"
            f"  executor: {'CeleryExecutor' if self.celery else 'LocalExecutor'}\n"
            f"{python}"
            "  web_workers: 1\n"
            f"  config:\n{CONFIG}"
            "database: {password: !file password}\n"
            f"{broker}"
            f"deploy: {{dags: {dags}}}\n"
        )


def alone(name: str, version: str, **more: Any) -> Scenario:
    """Return LocalExecutor on one host that has all roles."""
    return Scenario(name, version, dict.fromkeys(("database", "scheduler", "webserver"), (HEAD,)), **more)


def apart(name: str, version: str, roles: Mapping[str, tuple[str, ...]] | None = None, **more: Any) -> Scenario:
    """Return CeleryExecutor with its worker on a separate host; `roles` override these."""
    given = {**dict.fromkeys(("database", "scheduler", "webserver"), (HEAD,)), "worker": (WORKER,), **(roles or {})}
    return Scenario(name, version, given, **more)


TWO, REDIS_ROLE = {"scheduler": (HEAD, WORKER)}, {"redis": (REDIS,)}
SCENARIOS = (
    alone("3.3.2-local", "3.3.2", slow=False),
    # Tasks run on Debian 13, which has another Python, and everything else on Debian 12.
    apart("3.3.2-celery-postgresql-debian-12-and-13", "3.3.2", {"worker": (DEBIAN_13,)}, suites={DEBIAN_13: "trixie"}),
    apart("3.3.2-celery-redis", "3.3.2", REDIS_ROLE),
    alone("2.11.2-local", "2.11.2"),
    apart("2.11.2-celery-postgresql-two-schedulers", "2.11.2", TWO),
    apart("2.11.2-celery-redis", "2.11.2", REDIS_ROLE),
    alone("1.10.10-local", "1.10.10", python="3.8"),
    apart("1.10.10-celery-postgresql", "1.10.10", python="3.7"),
    apart("1.10.10-celery-redis", "1.10.10", REDIS_ROLE, python="3.7"),
)
