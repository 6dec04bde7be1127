"""Ports that other programs hold, with the output of ss on Debian 12 (iproute2 6.1)."""

from __future__ import annotations

import pytest

from aerodrome.checks.ports import FreePort
from tests.unit.make import Shell

PORT = FreePort(8080, "airflow@webserver.service", "airflow.web_port")
NGINX = 'LISTEN 0 511 {}:8080 0.0.0.0:* users:(("nginx",pid=812,fd=6),("nginx",pid=811,fd=6))'


def refused(port: FreePort, text: str) -> tuple[str, str]:
    (finding,) = port.judge(text)
    assert (finding.subject, finding.verdict) == (port.key, "refused")
    return finding.detail, finding.hint


@pytest.mark.parametrize("unit", ["nginx.service", "docker-0a1b.scope"])
def test_the_program_is_named_with_its_unit(unit: str) -> None:
    text = f"{NGINX.format('0.0.0.0')}\nin 9:name=systemd:/system.slice/{unit}\nin 0::/system.slice/{unit}\n"
    assert refused(PORT, text) == (
        f"nginx (process 812) of {unit} listens on port 8080, which airflow@webserver.service needs",
        "stop it, or set airflow.web_port in hosts.yaml",
    )


def test_a_program_without_a_unit_or_a_name() -> None:
    assert refused(PORT, NGINX.format("*"))[0].startswith("nginx (process 812) listens on port 8080")
    assert refused(PORT, "LISTEN 0 5 0.0.0.0:8080 0.0.0.0:*")[0].startswith("another program listens on port 8080")


@pytest.mark.parametrize("address, mine, in_the_way", [
    ("0.0.0.0", "", True), ("*", "", True), ("[::]", "", True), ("127.0.0.1", "", True), ("127.0.0.53%lo", "", True),
    ("[::1]", "", False), ("0.0.0.0", "10.0.0.1", True), ("10.0.0.1", "10.0.0.1", True),
    ("127.0.0.1", "10.0.0.1", False), ("[fd00::1]", "fd00::1", True), ("[::1]", "fd00::1", False),
])  # fmt: skip
def test_which_listeners_are_in_the_way(address: str, mine: str, in_the_way: bool) -> None:
    port = FreePort(8080, "u.service", "airflow.web_port", mine)
    if in_the_way:
        refused(port, NGINX.format(address))
    else:
        assert port.judge(NGINX.format(address)) == []


def test_the_unit_itself_may_hold_it() -> None:
    text = NGINX.format("0.0.0.0") + "\nin 0::/system.slice/system-airflow.slice/airflow@webserver.service\n"
    assert PORT.judge(text) == []
    assert PORT.judge(text.replace("webserver", "worker")) == []  # moved between roles: the other unit stops
    refused(PORT, text.replace("airflow@webserver", "grafana@webserver"))
    assert PORT.judge("") == []
    any_version = FreePort(8080, "postgresql*.service", "database.port")
    text = NGINX.format("0.0.0.0") + "\nin 0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n"
    assert any_version.judge(text) == []
    # The second of two listeners is checked as well.
    refused(PORT, f"{text}{NGINX.format('127.0.0.1')}\nin 0::/system.slice/nginx.service\n")


def test_what_listens_is_asked_with_its_control_group(sh: Shell) -> None:
    line = 'LISTEN 0 5 *:8080 *:* users:(("me",pid=%s,fd=3))'
    done = sh(PORT.probe(), programs={"ss": f"printf '{line}\\n' $$"})
    assert done.stdout.decode().startswith('LISTEN 0 5 *:8080 *:* users:(("me",pid=')
    assert done.stdout.count(b"LISTEN") == 1
    assert sh(PORT.probe(), programs={"ss": "echo LISTEN 0 5 *:8080 *:*"}).stdout == b"LISTEN 0 5 *:8080 *:*\n"
