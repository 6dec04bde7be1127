"""An address that a host has itself, so that services can listen on it."""

from __future__ import annotations

import ipaddress

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class OwnAddress:
    """An address of the host itself; it is only asked for, never given.

    The kernel's own tables are read, so that no further program has to be there.
    """

    service: str  # what is to listen on it
    host: str  # its name in hosts.yaml
    address: str

    @property
    def key(self) -> str:
        return f"address of {self.service}"

    def probe(self) -> str:
        return self.find("-A1")

    def find(self, option: str = "-q") -> str:
        """Return a grep in the kernel's own table, without quotes other than double ones."""
        address = ipaddress.ip_address(self.address)
        if address.version == 4:
            # `|-- 10.0.0.1`, and below it `/32 host LOCAL` where the address is the host's own.
            return f'grep -wF {option} -e "-- {self.address}" /proc/net/fib_trie'
        return f'grep -iF {option} -e "{address.exploded.replace(":", "")}" /proc/net/if_inet6'

    def judge(self, answer: str) -> list[Finding]:
        if "host LOCAL" in answer or (":" in self.address and answer.strip()):
            return []
        return refused(
            self,
            f"{self.service} should listen on {self.address}, but the host does not have that address",
            f"behind address translation, set where to listen: hosts.{self.host}.listen: 0.0.0.0",
        )
