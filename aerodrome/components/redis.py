"""Redis as Celery's broker: an instance of its own, with a password, on the host's own address."""

from __future__ import annotations

import re
from dataclasses import replace

from aerodrome.components.health import Health
from aerodrome.components.inputs import Inputs
from aerodrome.components.network import from_itself, own_address
from aerodrome.components.ports import redis_port
from aerodrome.core.resource import PRELUDE, heredoc, quote
from aerodrome.core.step import Step
from aerodrome.fleet.model import Host
from aerodrome.render import render
from aerodrome.resources.files import Directory, File
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Masked, Service, UnitState, show
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
                *own_address("Redis", host),
                Directory(data, "redis", "redis", 0o750, owner_makes=True),
                File(config, render("redis.conf.j2", **values), "root", "redis", 0o640, mask=mask_redis),
                File(unit, render("redis.service.j2", **values), reload=True),
                redis_port(inputs, host, redis_unit(inputs)),
                Service(redis_unit(inputs), (config, unit)),
            ),
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


def redis_health_script(inputs: Inputs, host: Host) -> str:
    """Return sh that prints the state of Redis' unit, and what Redis says of itself; the password is on stdin."""
    assert inputs.redis_password is not None
    ask = f"AUTH {redis_text(inputs.redis_password)}\nINFO\n"
    client = f"redis-cli -h {quote(_reached_at(host))} -p {inputs.fleet.broker.port}"
    return f"{PRELUDE}date +%s\n{show(redis_unit(inputs))}\necho\n{client} 2>&1 {heredoc(ask)}\n"


def _reached_at(host: Host) -> str:
    return from_itself(host) if host.listen else host.address


def read_redis_health(inputs: Inputs, host: str, output: str) -> Health:
    """Read what `redis_health_script` printed."""
    head, _, rest = output.partition("\n")
    text, _, answer = rest.partition("\n\n")
    state, now = UnitState.parse(text), int(head) if head.isdigit() else 0
    told = dict(re.findall(r"^(\w+):(.*?)\r?$", answer, re.MULTILINE))
    unit = redis_unit(inputs)
    if not {"redis_version", "uptime_in_seconds", "connected_clients"} <= set(told):
        return Health(host, "redis", unit, state, now, "", "failed", "Redis does not answer, or refuses the password")
    state = replace(state, started=now - int(told["uptime_in_seconds"]))
    detail = f"answers, {told['connected_clients']} connections"
    return Health(host, "redis", unit, state, now, told["redis_version"], "healthy", detail)
