"""An address that services should listen on must belong to the host itself."""

from __future__ import annotations

import ipaddress

from aerodrome.core.check import Finding, refused
from aerodrome.dataclass import dataclass


@dataclass(frozen=True)
class OwnAddress:
    """An address of the host itself. It is only looked up, never assigned.

    It is looked up in the kernel's own tables, so the host needs no further program.
    """

    service: str  # the service that should listen on it
    host: str  # the host's name in hosts.yaml
    address: str

    @property
    def key(self) -> str:
        return f"address of {self.service}"

    def probe(self) -> str:
        return self.find("-A1")

    def find(self, option: str = "-q") -> str:
        """Return a grep of the kernel's own table that contains no single quotes."""
        address = ipaddress.ip_address(self.address)
        if address.version == 4:
            # `|-- 10.0.0.1`, followed by `/32 host LOCAL` if the address is the host's own.
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
