"""Open ports of a host: which program listens, and who may reach it."""

from __future__ import annotations

import ipaddress
import re

from aerodrome.components.firewall import guards
from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import PRELUDE
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.fleet.model import Host
from aerodrome.resources.firewall import LOADED

# `LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=81,fd=3))`, as ss(8) of iproute2 prints it.
_LINE = re.compile(r"LISTEN\s+\d+\s+\d+\s+([\w.:*%\[\]-]+):(\d{1,5})\s+\S+\s*(.*)", re.ASCII)
_PROGRAM = re.compile(r'\("([^"]*)",pid=\d+')


@dataclass(frozen=True)
class Listening:
    """An open port of a host; `reach` says who may connect to it, as far as Aerodrome knows."""

    host: str
    address: str  # empty: all addresses
    port: int
    programs: tuple[str, ...]
    reach: str


def listening_script() -> str:
    """Return sh that prints whether our firewall is loaded, then each listening TCP socket."""
    return f"{PRELUDE}{LOADED}\necho\ncommand -v ss >/dev/null && ss -ltnpH\n"


def read_listening(inputs: Inputs, host: Host, output: str) -> list[Listening]:
    """Parse the output of `listening_script`.

    Raises AerodromeError if the host has no ss.
    """
    loaded, _, rest = output.partition("\n")
    lines = [found for line in rest.splitlines() if (found := _LINE.match(line.strip()))]
    if not lines:
        raise AerodromeError("ss does not show what listens", "install iproute2 (iproute on RHEL-likes)")
    guarded = {port: guard for guard in guards(inputs, host) for port in guard.ports} if loaded == "loaded" else {}
    seen: dict[tuple[str, int], Listening] = {}
    for address, number, users in (found.groups() for found in lines):
        bound, port = address.partition("%")[0].strip("[]"), int(number)
        bound = "" if bound in ("*", "0.0.0.0", "::") else bound  # noqa: S104
        programs = tuple(dict.fromkeys(_printable(name) for name in _PROGRAM.findall(users)))
        reach = "this host" if _is_loopback(bound) else "everybody"
        if port in guarded and reach == "everybody":
            allowed = inputs.fleet.network.allow if port == inputs.fleet.airflow.web_port else ()
            reach = ", ".join(("the fleet", *allowed))
        seen.setdefault((bound, port), Listening(host.name, bound, port, programs, reach))
    return sorted(seen.values(), key=lambda each: (each.port, each.address))


def _printable(name: str) -> str:
    """Escape a program's name: it may choose any (prctl(2), PR_SET_NAME), and a terminal would interpret it."""
    return "".join(char if char.isprintable() else "?" for char in name)


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_loopback
