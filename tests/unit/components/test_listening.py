"""Open ports, as ss of iproute2 6.1 prints them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aerodrome.components.listening import Listening, listening_script, read_listening
from aerodrome.errors import AerodromeError
from aerodrome.fleet.model import Network
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

SS = """\
LISTEN 0      244           10.0.0.1:5432      0.0.0.0:*    users:(("postgres",pid=2406,fd=7))
LISTEN 0      244          127.0.0.1:5432      0.0.0.0:*    users:(("postgres",pid=2406,fd=6))
LISTEN 0      128            0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=81,fd=3))
LISTEN 0      128               [::]:22           [::]:*    users:(("sshd",pid=81,fd=4))
LISTEN 0      2048                 *:8080            *:*    users:(("airflow",pid=9,fd=12),("airflow",pid=8,fd=12))
LISTEN 0      100              [::1]:25           [::]:*    users:(("master",pid=5,fd=14))
LISTEN 0      4096     127.0.0.53%lo:53        0.0.0.0:*
LISTEN 0      50   [::ffff:127.0.0.1]:9000          *:*    users:(("java",pid=7,fd=1))
"""
OF = inputs(replace(fleet({**ROLES_OF_FLEET, "webserver": ("db1",)}), network=Network(True, ("192.0.2.0/24",))))


def test_the_script_as_a_whole() -> None:
    assert listening_script().endswith(
        "nft list table inet aerodrome >/dev/null 2>&1 && echo loaded\necho\ncommand -v ss >/dev/null && ss -ltnpH\n"
    )


@pytest.mark.parametrize(
    "loaded, fleet_only, web", [("loaded\n", "the fleet", "the fleet, 192.0.2.0/24"), ("", "everybody", "everybody")]
)
def test_each_port_with_its_program_and_who_may_reach_it(loaded: str, fleet_only: str, web: str) -> None:
    assert read_listening(OF, HOSTS["db1"], f"{loaded}\n{SS}") == [
        Listening("db1", "", 22, ("sshd",), "everybody"),
        Listening("db1", "::1", 25, ("master",), "this host"),
        Listening("db1", "127.0.0.53", 53, (), "this host"),
        Listening("db1", "10.0.0.1", 5432, ("postgres",), fleet_only),
        Listening("db1", "127.0.0.1", 5432, ("postgres",), "this host"),
        Listening("db1", "", 8080, ("airflow",), web),
        Listening("db1", "::ffff:127.0.0.1", 9000, ("java",), "this host"),
    ]


def test_what_a_program_calls_itself_reaches_no_terminal() -> None:
    line = 'LISTEN 0 1 0.0.0.0:1 0.0.0.0:* users:(("a\x1b]0;b\x07c",pid=1,fd=1))\nLISTEN 0 1 \x1b[2J:2 0.0.0.0:*\n'
    assert read_listening(OF, HOSTS["db1"], f"\n{line}") == [Listening("db1", "", 1, ("a?]0;b?c",), "everybody")]


def test_a_host_without_ss_is_one_clear_error() -> None:
    with pytest.raises(AerodromeError, match="ss does not show what listens"):
        read_listening(OF, HOSTS["db1"], "\n")
