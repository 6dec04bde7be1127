"""Services with data that an earlier hosts.yaml had on a host, and this one has not: said, and never stopped."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.systemd import RUNS


@dataclass(frozen=True)
class Left:
    """A service that may still run on a host without its role.

    It is one of ours if one of the files `ours` is there. `units` is a pattern (glob(7)) of the names of its units.
    """

    name: str
    role: str
    ours: tuple[str, ...]
    units: str
    stop: str  # the unit that the operator has to stop
    data: str

    def find(self) -> str:
        """Return sh that prints the name if it is there and runs; it starts no process (see Retired)."""
        ours = " || ".join(f"[ -e {quote(path)} ]" for path in self.ours)
        return (
            f"{{ {ours}; }} && for link in {RUNS.format(self.units)}; do "
            f'[ ! -h "$link" ] || {{ echo {quote(self.name)}; break; }}; done'
        )

    @property
    def note(self) -> str:
        """What the operator should know and may do."""
        return (
            f"{self.name} still runs here, and hosts.yaml no longer has this host in the role {self.role}. It is left"
            f" alone because of its data ({self.data}); when nothing needs it: systemctl disable --now {self.stop}"
        )


@dataclass(frozen=True)
class LeftServices:
    """Services that a host should not run: a warning for each that it does run."""

    services: tuple[Left, ...]

    @property
    def key(self) -> str:
        return f"left {' '.join(service.name for service in self.services)}"

    def probe(self) -> str:
        return "\n".join(service.find() for service in self.services)

    def judge(self, answer: str) -> list[Finding]:
        names = answer.split("\n")
        return [Finding(each.name, "warning", each.note) for each in self.services if each.name in names]
