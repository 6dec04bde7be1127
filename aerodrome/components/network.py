"""Where the services of a host listen: on its own address, unless hosts.yaml says otherwise."""

from __future__ import annotations

import ipaddress

from aerodrome.checks.address import OwnAddress
from aerodrome.fleet.model import Host

EVERYWHERE = "0.0.0.0"  # noqa: S104
_ITSELF = {EVERYWHERE: "127.0.0.1", "::": "::1"}


def listens(host: Host) -> str:
    """Return the address that the services of `host` listen on.

    A name is no address to listen on: many machines know their own name as 127.0.1.1. Then they listen on all.
    """
    return host.listen or (host.address if is_ip(host.address) else EVERYWHERE)


def bound(host: Host) -> str:
    """Return the one address that the services of `host` listen on; empty where they listen on all."""
    return "" if listens(host) in _ITSELF else listens(host)


def own_address(service: str, host: Host) -> tuple[OwnAddress, ...]:
    """Return the question whether `host` has the address that a service is to listen on; none where it is on all."""
    return (OwnAddress(service, host.name, bound(host)),) if bound(host) else ()


def from_itself(host: Host) -> str:
    """Return the address at which `host` reaches its own services."""
    return _ITSELF.get(listens(host), listens(host))


def in_url(address: str) -> str:
    """Write an address as a URL has it: IPv6 in brackets (RFC 3986)."""
    return f"[{address}]" if ":" in address else address


def is_ip(address: str) -> bool:
    """Tell whether an address of hosts.yaml is one, and not a name."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
