"""A table of nftables that is loaded by a unit, and its absence."""

from __future__ import annotations

from aerodrome.core.resource import Change, Seen, quote
from aerodrome.core.undo import Undo
from aerodrome.dataclass import dataclass

TABLE = "inet aerodrome"
LOADED = f"nft list table {TABLE} >/dev/null 2>&1 && echo loaded"


@dataclass(frozen=True)
class LoadedTable:
    """Our table in the kernel: whoever flushes the ruleset takes it away, and its unit does not notice."""

    unit: str

    @property
    def key(self) -> str:
        return f"nftables table {TABLE}"

    def probe(self) -> str:
        return LOADED

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.strip() == "loaded":
            return []
        gone = f"! nft list table {TABLE} >/dev/null 2>&1 || nft delete table {TABLE}"
        undo = Undo("take the firewall's table away", gone, f"{LOADED} || echo absent", "absent", "loaded")
        return [Change("load the firewall's table", f"systemctl restart {quote(self.unit)}", undo=undo)]


@dataclass(frozen=True)
class NoFirewall:
    """No table of ours: its unit is stopped, and its files are removed. What others have set up is left alone."""

    unit: str
    rules: str

    @property
    def key(self) -> str:
        return f"firewall {self.unit}"

    def probe(self) -> str:
        return f"[ ! -e /etc/systemd/system/{quote(self.unit)} ] || echo there"

    def changes(self, seen: Seen) -> list[Change]:
        if not seen.text.strip():
            return []
        unit = quote(self.unit)
        script = (
            f"systemctl disable -q --now {unit}\n"
            f"! {LOADED.replace(' && echo loaded', '')} || nft delete table {TABLE}\n"
            f"rm -f {quote(self.rules)} /etc/systemd/system/{unit}\n"
            "systemctl daemon-reload"
        )
        return [Change("remove the firewall", script)]
