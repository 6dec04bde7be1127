"""Whether a host has an address, according to this machine's kernel."""

from __future__ import annotations

import pytest

from aerodrome.checks.address import OwnAddress
from aerodrome.core.check import Finding
from tests.unit.make import Shell


@pytest.mark.parametrize("address", ["127.0.0.1"])
def test_an_address_of_this_machine_is_found(sh: Shell, address: str) -> None:
    own = OwnAddress("PostgreSQL", "db1", address)
    assert own.judge(sh(own.probe()).stdout.decode()) == []
    assert sh(own.find()).returncode == 0


@pytest.mark.parametrize("address", ["127.0.0.10", "27.0.0.1", "192.0.2.1", "2001:db8::1"])
def test_another_is_refused(sh: Shell, address: str) -> None:
    own = OwnAddress("PostgreSQL", "db1", address)
    (finding,) = own.judge(sh(own.probe()).stdout.decode())
    assert finding == Finding(
        "address of PostgreSQL",
        "refused",
        f"PostgreSQL should listen on {address}, but the host does not have that address",
        "behind address translation, set where to listen: hosts.db1.listen: 0.0.0.0",
    )
    assert sh(own.find()).returncode == 1


def test_ipv6_is_looked_for_as_the_kernel_writes_it() -> None:
    own = OwnAddress("Redis", "r", "fd00::3")
    assert own.probe() == 'grep -iF -A1 -e "fd000000000000000000000000000003" /proc/net/if_inet6'
    assert own.judge("fd000000000000000000000000000003 02 40 00 80    eth0\n") == []
