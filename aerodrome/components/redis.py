"""Redis as Celery's broker: an instance of its own, with a password, on the host's own address."""

from __future__ import annotations

import re
from dataclasses import replace

from aerodrome.components.health import Health, read_service, service_probe, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import from_itself, own_address
from aerodrome.components.ports import redis_port
from aerodrome.core.resource import heredoc, quote
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host
from aerodrome.render import render
from aerodrome.resources.files import Directory, File
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Masked, Service
from aerodrome.secrets import MASK, Secret, hexadecimal


def redis(inputs: Inputs, host: Host) -> list[Step]:
    """Return what a host of the role `redis` is made of."""
    config, unit = _config_path(inputs), f"/etc/systemd/system/{redis_unit(inputs)}"
    data = f"/var/lib/redis/{inputs.fleet.airflow.service}"
    assert inputs.redis_password is not None
    values: dict[str, object] = {
        "service": inputs.fleet.airflow.service,
        "address": host.listen or host.address,
        "port": inputs.fleet.broker.port,
        "password": redis_text(inputs.redis_password),
        "data": data,
        "config": config,
    }
    return [
        # Debian starts one that listens on 127.0.0.1 without a password; one that is there already is left alone.
        Step("redis.packages", (Masked("redis-server.service"), Packages(apt=("redis-server",), dnf=("redis",)))),
        Step(
            "redis.server",
            (
                Directory(data, "redis", "redis", 0o750, owner_makes=True),
                File(config, render("redis.conf.j2", **values), "root", "redis", 0o640, mask=mask_redis),
                File(unit, render("redis.service.j2", **values), reload=True),
                Service(redis_unit(inputs), (config, unit)),
            ),
            (*own_address("Redis", host), redis_port(inputs, host, redis_unit(inputs))),
        ),
    ]


def redis_unit(inputs: Inputs) -> str:
    """Return the name of the unit, beside the distribution's own."""
    return f"{inputs.fleet.airflow.service}-redis.service"


def _config_path(inputs: Inputs) -> str:
    return f"/etc/{inputs.fleet.airflow.service}-redis.conf"


def redis_text(secret: Secret) -> str:
    """Write a text for redis.conf and redis-cli."""
    return f'"{hexadecimal(secret.reveal())}"'


def mask_redis(text: str) -> str:
    """Mask the password of a redis.conf."""
    return re.sub(r"^([ \t]*requirepass\s).*$", rf"\1{MASK}", text, flags=re.MULTILINE)


def _reached_at(host: Host) -> str:
    return from_itself(host) if host.listen else host.address


@dataclass(frozen=True)
class RedisHealth:
    """Redis answers on its host, and takes the password."""

    inputs: Inputs
    host: Host

    @property
    def key(self) -> str:
        return "health of Redis"

    def probe(self) -> str:
        """Return sh that prints the state of Redis' unit, and what Redis says of itself; the password is on stdin."""
        assert self.inputs.redis_password is not None
        ask = f"AUTH {redis_text(self.inputs.redis_password)}\nINFO\n"
        client = f"redis-cli -h {quote(_reached_at(self.host))} -p {self.inputs.fleet.broker.port}"
        return service_probe(redis_unit(self.inputs), f"{client} 2>&1 {heredoc(ask)}")

    def judge(self, answer: str) -> list[Health]:
        state, now, info = read_service(answer)
        told = dict(re.findall(r"^(\w+):(.*?)\r?$", info, re.MULTILINE))
        why = "Redis does not answer, or rejects the password"
        seen = Health("redis", "failed", why, host=self.host.name, unit=redis_unit(self.inputs), state=state, now=now)
        if not {"redis_version", "uptime_in_seconds", "connected_clients"} <= set(told):
            return [seen]
        state = replace(state, started=now - int(told["uptime_in_seconds"]))
        detail = f"answers, {told['connected_clients']} connections"
        return [replace(seen, verdict="ok", detail=detail, state=state, version=told["redis_version"])]

    def unknown(self, why: str) -> list[Health]:
        return [unreachable(self.host.name, "redis", why)]
