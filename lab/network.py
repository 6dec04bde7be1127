"""The lab's network: a bridge with an address on this machine, and access to the registries."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.layout import HostSpec, Layout
from lab.shell import run

# The lab's own probes of sshd carry this mark, and pass even if ssh is refused.
PROBE_MARK = 0xAE20


def ruleset(layout: Layout, refused: Iterable[str]) -> str:
    """Return the nftables table of a lab, which replaces the previous one.

    `refused` are the addresses that this machine may not reach by ssh. They are reset, not dropped, so that
    ssh fails immediately. Other hosts' packets go over the bridge, past this table.
    """
    table = f"table ip {layout.table}"
    rejects = [
        f"ip daddr {address} tcp dport 22 meta mark != {PROBE_MARK:#x} reject with tcp reset" for address in refused
    ]
    leaving = f"ip saddr {layout.subnet} ip daddr != {layout.subnet}"
    chains = [
        _chain("output", "type filter hook output priority filter", rejects),
        _chain("leave", "type nat hook postrouting priority srcnat", [f"{leaving} masquerade"]),
        # The way out may have a smaller MTU than the bridge.
        _chain(
            "forward",
            "type filter hook forward priority mangle",
            [f"ip saddr {layout.subnet} tcp flags syn tcp option maxseg size set rt mtu"],
        ),
    ]
    # Declare, delete, define: nft has no other "replace" that also works the first time.
    return f"{table}\ndelete {table}\n{table} {{\n{''.join(chains)}}}\n"


def _chain(name: str, hook: str, rules: list[str]) -> str:
    lines = "".join(f"    {rule}\n" for rule in rules)
    return f"  chain {name} {{\n    {hook}\n{lines}  }}\n"


def bridge_commands(layout: Layout, there: bool) -> list[list[str]]:
    """Return the commands that bring up the bridge, whether or not it exists."""
    create = [f"ip link add {layout.bridge} type bridge"] if not there else []
    rest = [
        f"ip address replace {layout.gateway}/24 dev {layout.bridge}",
        f"ip link set {layout.bridge} up",
    ]
    return [line.split() for line in create + rest]


def up(layout: Layout, specs: Iterable[HostSpec]) -> None:
    """Bring up the bridge and the rules."""
    for command in bridge_commands(layout, bridge_exists(layout)):
        run(command)
    refused = [layout.address(spec) for spec in specs if spec.via]
    run(["nft", "-f", "-"], stdin=ruleset(layout, refused))


def down(layout: Layout) -> None:
    """Remove the rules and the bridge."""
    table = ["table", "ip", layout.table]
    if shutil.which("nft") and run(["nft", "list", *table], check=False).returncode == 0:
        run(["nft", "delete", *table])
    if bridge_exists(layout):
        run(["ip", "link", "delete", layout.bridge])


def bridge_exists(layout: Layout) -> bool:
    """Tell whether the lab's bridge exists."""
    return Path("/sys/class/net", layout.bridge).exists()
