"""Where the services of a host listen: on its own address, unless hosts.yaml says otherwise."""

from __future__ import annotations

import ipaddress

from aerodrome.checks.address import OwnAddress
from aerodrome.fleet.model import Host

EVERYWHERE = "0.0.0.0"  # noqa: S104
_ITSELF = {EVERYWHERE: "127.0.0.1", "::": "::1"}


def listens(host: Host) -> str:
    """Return the address that the services of `host` listen on.

    If its address in hosts.yaml is a name, they listen on all addresses: many machines resolve their own name to
    127.0.1.1.
    """
    return host.listen or (host.address if is_ip(host.address) else EVERYWHERE)


def bound(host: Host) -> str:
    """Return the one address that the services of `host` listen on; empty if they listen on all."""
    return "" if listens(host) in _ITSELF else listens(host)


def own_address(service: str, host: Host) -> tuple[OwnAddress, ...]:
    """Return the check that `host` has the address that a service listens on; none if it listens on all."""
    return (OwnAddress(service, host.name, bound(host)),) if bound(host) else ()


def from_itself(host: Host) -> str:
    """Return the address at which `host` reaches its own services."""
    return _ITSELF.get(listens(host), listens(host))


def in_url(address: str) -> str:
    """Return an address as written in a URL: IPv6 in brackets (RFC 3986)."""
    return f"[{address}]" if ":" in address else address


def is_ip(address: str) -> bool:
    """Tell whether an address in hosts.yaml is an IP address rather than a name."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
