"""Where the services of a host listen, and how the host reaches them itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.checks.address import OwnAddress
from aerodrome.components.environment import environment
from aerodrome.components.health import RoleHealth
from aerodrome.components.network import from_itself, in_url, listens, own_address
from aerodrome.components.roles.redis import COMPONENT, RedisHealth
from aerodrome.components.units import started
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs, parameters, parse

WEB = HOSTS["web1"]
HOSTS_YAML = """\
hosts: {one: {address: 10.0.0.1, listen: '%s'}}
roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}
"""


@pytest.mark.parametrize(
    "host, listen, itself",
    [
        (WEB, "10.0.0.3", "10.0.0.3"),
        (replace(WEB, listen="10.9.0.1"), "10.9.0.1", "10.9.0.1"),
        (replace(WEB, listen="0.0.0.0"), "0.0.0.0", "127.0.0.1"),
        (replace(WEB, listen="::"), "::", "::1"),
        (replace(WEB, address="web.example.com"), "0.0.0.0", "127.0.0.1"),
        (replace(WEB, address="fd00::3"), "fd00::3", "fd00::3"),
    ],
)
def test_a_host_listens_on_its_address_unless_told_otherwise(host: Host, listen: str, itself: str) -> None:
    assert (listens(host), from_itself(host)) == (listen, itself)
    everywhere = listen in ("0.0.0.0", "::")
    assert own_address("it", host) == (() if everywhere else (OwnAddress("it", "web1", listen),))
    asked = parameters(RoleHealth(inputs(), host, ("webserver",)).probe())["ask"]
    assert asked["web"] == [f"http://{in_url(itself)}:", ["AIRFLOW__API__PORT", "8080"], "/api/v2/monitor/health"]


@pytest.mark.parametrize(
    "version, name, six",
    [
        ("1.10.10", "AIRFLOW__WEBSERVER__WEB_SERVER_HOST", "[fd00::3]"),
        ("2.11.2", "AIRFLOW__WEBSERVER__WEB_SERVER_HOST", "[fd00::3]"),
        ("3.3.2", "AIRFLOW__API__HOST", "fd00::3"),
    ],
)
def test_only_the_web_servers_host_says_where_it_listens(version: str, name: str, six: str) -> None:
    given = inputs(fleet(version=version))
    assert environment(given, WEB)[name] == "10.0.0.3"
    assert environment(given, replace(WEB, address="fd00::3"))[name] == six
    assert name not in environment(given, HOSTS["w1"])


def test_the_web_servers_host_is_asked_for_its_address() -> None:
    assert OwnAddress("the web server", "web1", "10.0.0.3") in started(inputs(), WEB, "webserver").requires
    assert not [each for each in started(inputs(), WEB, "triggerer").requires if isinstance(each, OwnAddress)]


def test_redis_listens_there_too_and_is_asked_there() -> None:
    given = inputs(fleet(roles={**ROLES_OF_FLEET, "redis": ("web1",)}), redis_password=inputs().secret_key)
    host = replace(WEB, listen="0.0.0.0")
    (config,) = [each for each in COMPONENT.settings(given, host)[0].resources if each.key.endswith(".conf")]
    assert "\nbind 0.0.0.0\n" in config.content  # type: ignore[attr-defined]
    assert "redis-cli -h 127.0.0.1 " in RedisHealth(given, host).probe()
    assert "redis-cli -h 10.0.0.3 " in RedisHealth(given, WEB).probe()


@pytest.mark.parametrize("wrong", ["web.example.com", "10.0.0", "999.1.1.1", "all"])
def test_what_is_no_address_is_one_line(wrong: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(HOSTS_YAML % wrong, "hosts.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith("hosts.yaml:1: hosts.one.listen: ")
    assert parse(HOSTS_YAML % "0.0.0.0", "hosts.yaml").hosts["one"].listen == "0.0.0.0"
