"""Redis as Celery's broker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.address import OwnAddress
from aerodrome.checks.ports import FreePort
from aerodrome.checks.redis import RedisInUse
from aerodrome.components.health import Health
from aerodrome.components.inputs import Inputs
from aerodrome.components.roles.redis import COMPONENT, RedisHealth, mask_redis, redis_text
from aerodrome.core.plan import HostPlan, PlannedChange, readable_script
from aerodrome.core.resource import Seen
from aerodrome.core.step import Step
from aerodrome.fleet.model import Broker
from aerodrome.resources.directory import Directory
from aerodrome.resources.files import File
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Masked, Service, UnitState, show
from aerodrome.secrets import MASK, Redactor, Secret
from tests.unit.make import AWKWARD, HOSTS, ROLES_OF_FLEET, Shell, fleet, inputs

W2 = HOSTS["w2"]
# The server of Debian 12 (7.0.15) accepted this, and then the password itself over TCP; so did redis-cli on stdin.
TEXT = r'"p\x40ss\x2fw\x25rd\x3a\x24\x20\x27\x22\x5c\xc3\xa9\x23\x3b"'


def given(password: str = AWKWARD) -> Inputs:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)}, broker=Broker(port=6380), service="ac")
    return inputs(of, redis_password=Secret(password))


def made(of: Inputs) -> list[Step]:
    return [*COMPONENT.machine(of, W2), *COMPONENT.settings(of, W2)]


CONFIG = f"""\
# Written by Aerodrome: the broker of ac.
bind 10.0.0.5
port 6380
protected-mode yes
requirepass {TEXT}
dir /var/lib/redis/ac
# What is queued survives a restart.
appendonly yes
maxmemory-policy noeviction
supervised systemd
daemonize no
logfile ""
"""
UNIT = """\
# Written by Aerodrome: the broker of ac, beside the distribution's own Redis.
[Unit]
Description=Redis, the broker of ac
Wants=network-online.target
After=network-online.target

[Service]
# It says when it listens, so that nothing that needs it begins before.
Type=notify
User=redis
Group=redis
ExecStart=/usr/bin/redis-server /etc/ac-redis.conf
Restart=always
RestartSec=5s
# For as many clients as Redis' own maxclients says; otherwise it would ask the kernel for them itself.
LimitNOFILE=65535
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths=/var/lib/redis/ac
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectProc=invisible
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""


def test_a_broker_s_host_as_a_whole() -> None:
    config, unit = "/etc/ac-redis.conf", "/etc/systemd/system/ac-redis.service"
    assert made(given()) == [
        Step(
            "redis.packages",
            (Masked("redis-server.service"), Packages(apt=("redis-server",), dnf=("redis",))),
        ),
        Step(
            "redis.server",
            (
                Directory("/var/lib/redis/ac", "redis", "redis", 0o750, owner_makes=True),
                File(config, CONFIG, "root", "redis", 0o640, mask=mask_redis),
                File(unit, UNIT, reload=True),
                Service("ac-redis.service", (config, unit)),
            ),
            (
                RedisInUse(config, "10.0.0.5", 6380),
                OwnAddress("Redis", "w2", "10.0.0.5"),
                FreePort(6380, "ac-redis.service", "broker.port", W2.address),
            ),
        ),
    ]


def test_only_a_whole_deploy_halts_the_users_of_a_redis_that_moves() -> None:
    def halts(of: Inputs) -> bool:
        (check,) = (each for step in made(of) for each in step.requires if isinstance(each, RedisInUse))
        return check.halts

    whole = replace(given(), whole=True)
    assert halts(whole)
    assert not halts(given())
    elsewhere = replace(whole.fleet, broker=Broker(url=Secret("amqp://u:p@h/")))
    assert not halts(replace(whole, fleet=elsewhere))
    local = replace(whole.fleet, airflow=replace(whole.fleet.airflow, executor="LocalExecutor"))
    assert not halts(replace(whole, fleet=local))


def test_no_two_resources_have_one_key() -> None:
    keys = [resource.key for step in made(given()) for resource in step.parts]
    assert len(keys) == len(set(keys)) == 9


@pytest.mark.parametrize(
    "password, text",
    [
        (AWKWARD, TEXT),
        ("aZ09", '"aZ09"'),
        ("a-b_c", r'"a\x2db\x5fc"'),
        ("line\nbreak\t", r'"line\x0abreak\x09"'),
        ("é☃", r'"\xc3\xa9\xe2\x98\x83"'),
        (r"\x41", r'"\x5cx41"'),
    ],
)
def test_a_password_is_written_as_redis_reads_it(password: str, text: str) -> None:
    assert redis_text(Secret(password)) == text


def test_the_password_is_masked_in_a_diff() -> None:
    assert mask_redis(CONFIG) == CONFIG.replace(TEXT, MASK)
    assert mask_redis("  requirepass old\nport 1\n") == f"  requirepass {MASK}\nport 1\n"


def test_the_password_is_hidden_where_the_script_is_shown() -> None:
    redactor = Redactor()
    redactor.know(Secret("a-made_password"))
    (file,) = [
        each for each in COMPONENT.settings(given("a-made_password"), W2)[0].resources if each.key.endswith(".conf")
    ]
    (change,) = file.changes(Seen(""))
    script = readable_script(HostPlan("w2", (PlannedChange("redis.server", file.key, change),)))
    assert redis_text(Secret("a-made_password")) in script
    assert f'requirepass "{MASK}"\n' in redactor.hide(script)


# Health

NOW = 1795382100
SHOWN = """\
MainPID=50
NRestarts=0
ExecMainStartTimestamp=Sun 2026-11-22 21:14:23 UTC
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
NeedDaemonReload=no
"""
# The output of redis-cli 7.0.15, shortened.
ANSWER = """\
OK
# Server\r
redis_version:7.0.15\r
redis_mode:standalone\r
uptime_in_seconds:120\r
uptime_in_days:0\r
\r
# Clients\r
connected_clients:3\r
"""


def health(answer: str, unit: str = SHOWN) -> Health:
    (found,) = RedisHealth(given(), W2).judge(f"{NOW}\n{unit}\n{answer}")
    return found


def test_the_script_as_a_whole() -> None:
    assert RedisHealth(given(), W2).probe() == (
        "export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
        "umask 022\n"
        "cd /\n"
        "date +%s\n"
        f"{show('ac-redis.service')}\n"
        "echo\n"
        "redis-cli -h 10.0.0.5 -p 6380 2>&1 <<'END_OF_FILE'\n"
        f"AUTH {TEXT}\n"
        "INFO\n"
        "END_OF_FILE\n"
    )


def test_the_password_goes_in_on_stdin(sh: Shell) -> None:
    script = RedisHealth(given(), W2).probe().replace("PATH=", "PATH=$PATH:")
    programs = {"redis-cli": 'printf "%s\\n" "$*"; cat', "systemctl": "echo ActiveState=active", "date": "echo 5"}
    lines = sh(script, programs=programs).stdout.decode().splitlines()
    assert lines == ["5", "ActiveState=active", "", "-h 10.0.0.5 -p 6380", f"AUTH {TEXT}", "INFO"]


def test_a_redis_that_answers() -> None:
    assert health(ANSWER) == Health(
        "redis",
        "ok",
        "answers, 3 connections",
        unit="ac-redis.service",
        state=replace(UnitState.parse(SHOWN), started=NOW - 120),
        now=NOW,
        version="7.0.15",
        host="w2",
    )


@pytest.mark.parametrize(
    "answer",
    [
        "WRONGPASS invalid username-password pair or user is disabled.\n\nNOAUTH Authentication required.\n",
        "Could not connect to Redis at 10.0.0.5:6380: Connection refused\n",
        "sh: 1: redis-cli: not found\n",
        ANSWER.partition("uptime")[0],
        "",
    ],
)
def test_a_redis_that_does_not(answer: str) -> None:
    found = health(answer)
    assert (found.verdict, found.version, found.detail) == (
        "failed",
        "",
        "Redis does not answer, or rejects the password",
    )


@pytest.mark.parametrize("output", ["", "\n", "no number\n", f"{NOW}\n"])
def test_an_answer_that_is_not_whole_is_no_health(output: str) -> None:
    assert RedisHealth(given(), W2).judge(output)[0].verdict == "failed"
