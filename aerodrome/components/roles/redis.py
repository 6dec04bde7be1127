"""Redis as Celery's broker: a separate instance with a password, on the host's own address."""

from __future__ import annotations

import re
from dataclasses import replace

from aerodrome.checks.left import Left
from aerodrome.checks.ports import FreePort
from aerodrome.checks.redis import RedisInUse
from aerodrome.components.component import Component
from aerodrome.components.health import Health, read_service, service_probe, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import bound, from_itself, own_address
from aerodrome.core.check import Watch
from aerodrome.core.resource import heredoc, quote
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Broker, Host
from aerodrome.fleet.role import KeyPort, Version
from aerodrome.render import render
from aerodrome.resources.directory import Directory
from aerodrome.resources.files import File
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Masked, Service
from aerodrome.secrets import MASK, Secret, hexadecimal


def _data(inputs: Inputs) -> str:
    return f"/var/lib/redis/{inputs.fleet.airflow.service}"


def _halts(inputs: Inputs) -> bool:
    """Tell whether this run halts Redis' users if its port changes: only if hosts.yaml does not name another broker."""
    broker = inputs.fleet.broker
    elsewhere = broker.url or broker.url_command
    return inputs.whole and inputs.fleet.airflow.executor == "CeleryExecutor" and not elsewhere


def redis_text(secret: Secret) -> str:
    """Return a secret as a quoted string for redis.conf and redis-cli."""
    return f'"{hexadecimal(secret.reveal())}"'


def mask_redis(text: str) -> str:
    """Mask the password of a redis.conf."""
    return re.sub(r"^([ \t]*requirepass\s).*$", rf"\1{MASK}", text, flags=re.MULTILINE)


def _reached_at(host: Host) -> str:
    return from_itself(host) if host.listen else host.address


@dataclass(frozen=True)
class RedisHealth:
    """Redis answers on its host and accepts the password."""

    inputs: Inputs
    host: Host

    @property
    def key(self) -> str:
        return "health of Redis"

    def probe(self) -> str:
        """Return sh that prints the state of Redis' unit, and Redis' INFO; the password is on stdin."""
        assert self.inputs.redis_password is not None
        ask = f"AUTH {redis_text(self.inputs.redis_password)}\nINFO\n"
        client = f"redis-cli -h {quote(_reached_at(self.host))} -p {self.inputs.fleet.broker.port}"
        return service_probe(COMPONENT.unit(self.inputs), f"{client} 2>&1 {heredoc(ask)}")

    def judge(self, answer: str) -> list[Health]:
        state, now, info = read_service(answer)
        told = dict(re.findall(r"^(\w+):(.*?)\r?$", info, re.MULTILINE))
        why = "Redis does not answer, or rejects the password"
        seen = Health(
            "redis", "failed", why, host=self.host.name, unit=COMPONENT.unit(self.inputs), state=state, now=now
        )
        if not {"redis_version", "uptime_in_seconds", "connected_clients"} <= set(told):
            return [seen]
        state = replace(state, started=now - int(told["uptime_in_seconds"]))
        detail = f"answers, {told['connected_clients']} connections"
        return [replace(seen, verdict="ok", detail=detail, state=state, version=told["redis_version"])]

    def unknown(self, why: str) -> list[Health]:
        return [unreachable(self.host.name, "redis", why)]


class Redis(Component):
    """Carries tasks from the schedulers to the Celery workers."""

    name, place, single = "redis", 20, True

    def ports(self, executor: str, version: Version) -> tuple[KeyPort, ...]:
        return (KeyPort("Redis", "broker", "port", Broker.port),)

    def unit(self, inputs: Inputs) -> str:
        """Return the name of the unit, separate from the distribution's own."""
        return f"{inputs.fleet.airflow.service}-redis.service"

    def machine(self, inputs: Inputs, host: Host) -> list[Step]:
        # Debian's package starts a server on 127.0.0.1 without a password. One that already exists is left alone.
        packages = Masked("redis-server.service"), Packages(apt=("redis-server",), dnf=("redis",))
        return [Step("redis.packages", packages)]

    def settings(self, inputs: Inputs, host: Host) -> list[Step]:
        """Return the server. If its address or port changes, it restarts while other units may still be running."""
        service, port = inputs.fleet.airflow.service, inputs.fleet.broker.port
        config, unit = f"/etc/{service}-redis.conf", f"/etc/systemd/system/{self.unit(inputs)}"
        assert inputs.redis_password is not None
        values: dict[str, object] = {
            "service": service,
            "address": host.listen or host.address,
            "port": port,
            "password": redis_text(inputs.redis_password),
            "data": _data(inputs),
            "config": config,
        }
        resources = (
            Directory(_data(inputs), "redis", "redis", 0o750, owner_makes=True),
            File(config, render("redis.conf.in", **values), "root", "redis", 0o640, mask=mask_redis),
            File(unit, render("redis.service.in", **values), reload=True),
            Service(self.unit(inputs), (config, unit)),
        )
        free = FreePort(port, self.unit(inputs), "broker.port", bound(host))
        in_use = RedisInUse(config, host.listen or host.address, port, _halts(inputs))
        return [Step("redis.server", resources, (in_use, *own_address("Redis", host), free))]

    def watches(self, inputs: Inputs, host: Host) -> list[Watch]:
        return [RedisHealth(inputs, host)]

    def left(self, inputs: Inputs) -> tuple[Left, ...]:
        unit, data = self.unit(inputs), f"{_data(inputs)}: queued tasks"
        return (Left("Redis", self.name, (f"/etc/systemd/system/{unit}",), unit, unit, data),)


COMPONENT = Redis()
