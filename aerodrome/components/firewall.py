"""The firewall of a host: who may reach the ports of its roles. It ignores all other ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aerodrome.components.inputs import Inputs
from aerodrome.components.ports import port_numbers, wanted
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host
from aerodrome.render import render
from aerodrome.resources.files import File
from aerodrome.resources.firewall import LoadedTable, NoFirewall
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Service

UNIT = "aerodrome-firewall.service"
RULES = "/etc/aerodrome/firewall.nft"


@dataclass(frozen=True)
class Guard:
    """Ports of a host, and the networks that may reach them."""

    what: str
    ports: tuple[int, ...]
    networks: tuple[str, ...]

    @property
    def rules(self) -> list[str]:
        """Its lines in the table of nftables."""
        ports, networks = ", ".join(map(str, self.ports)), [*map(ipaddress.ip_network, self.networks)]
        lines = [f"\t\t# {self.what}"]
        for family, version in (("ip", 4), ("ip6", 6)):
            if found := _collapsed(network for network in networks if network.version == version):
                lines.append(f"\t\ttcp dport {{ {ports} }} {family} saddr {{ {', '.join(found)} }} accept")
        return [*lines, f"\t\ttcp dport {{ {ports} }} drop"]


def firewall(inputs: Inputs, host: Host) -> Step:
    """Return the firewall of a host, or its absence."""
    guarded = guards(inputs, host)
    if not inputs.fleet.network.firewall or not guarded:
        return Step("network.firewall", (NoFirewall(UNIT, RULES),))
    unit = f"/etc/systemd/system/{UNIT}"
    return Step(
        "network.firewall",
        (
            Packages(apt=("nftables",), dnf=("nftables",)),
            File(RULES, render("firewall.nft.in", rules="\n".join(rule for guard in guarded for rule in guard.rules))),
            File(unit, render("firewall.service.in", rules=RULES), reload=True),
            Service(UNIT, (RULES, unit)),
            LoadedTable(UNIT),
        ),
    )


def guards(inputs: Inputs, host: Host) -> list[Guard]:
    """Return the ports that the firewall of a host guards, by its roles."""
    fleet = inputs.fleet
    members = tuple(each.address for each in fleet.hosts.values() if fleet.roles_of(each))
    here = [inputs.components[name] for name in fleet.services if name in fleet.roles_of(host)] + inputs.roles_on(host)
    found = []
    own = [port for role in here if not role.public for port in port_numbers(inputs, host, role)]
    if own:
        found.append(Guard("for the fleet only", tuple(dict.fromkeys(own)), members))
    for role in (role for role in here if role.public and fleet.network.allow):
        what, ports = wanted(inputs, role)[0].what, tuple(port_numbers(inputs, host, role))
        networks = (*members, *fleet.network.allow)
        found.append(Guard(f"{what}, for the fleet and network.allow", ports, networks))
    return found


def _collapsed(networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> list[str]:
    """Return networks as nftables writes them. It rejects a network that lies within another, so they are merged."""
    found = ipaddress.collapse_addresses(networks)  # type: ignore[type-var]
    return [str(each.network_address) if each.num_addresses == 1 else str(each) for each in found]
