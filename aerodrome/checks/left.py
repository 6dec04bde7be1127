"""Services and files of an earlier hosts.yaml that Aerodrome does not remove: it reports them."""

from __future__ import annotations

from aerodrome.core.check import Finding
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.retired import RetiredFiles
from aerodrome.resources.systemd import RUNS


@dataclass(frozen=True)
class Left:
    """A service that may still run on a host that no longer has its role.

    It counts as ours if one of the files `ours` exists. `units` is a glob(7) pattern of its units' names.
    """

    name: str
    role: str
    ours: tuple[str, ...]
    units: str
    stop: str  # the unit that the operator has to stop
    data: str

    def find(self) -> str:
        """Return sh that prints the name if the service is ours and running. It starts no process (see Retired)."""
        ours = " || ".join(f"[ -e {quote(path)} ]" for path in self.ours)
        return (
            f"{{ {ours}; }} && for link in {RUNS.format(self.units)}; do "
            f'[ ! -h "$link" ] || {{ echo {quote(self.name)}; break; }}; done'
        )

    @property
    def note(self) -> str:
        """The warning, with the command that stops the service."""
        return (
            f"{self.name} still runs here, and hosts.yaml no longer has this host in the role {self.role}. It is left"
            f" alone because of its data ({self.data}); when nothing needs it: systemctl disable --now {self.stop}"
        )


@dataclass(frozen=True)
class LeftServices:
    """Services that should not run on this host: one warning for each that does."""

    services: tuple[Left, ...]

    @property
    def key(self) -> str:
        return f"left {' '.join(service.name for service in self.services)}"

    def probe(self) -> str:
        return "\n".join(service.find() for service in self.services)

    def judge(self, answer: str) -> list[Finding]:
        names = answer.split("\n")
        return [Finding(each.name, "warning", each.note) for each in self.services if each.name in names]


@dataclass(frozen=True)
class KeptFiles:
    """Environment files that stay on a host that no longer runs Airflow: a warning, because they may hold secrets."""

    files: RetiredFiles

    @property
    def key(self) -> str:
        return f"kept files of {self.files.service}"

    def probe(self) -> str:
        return self.files.probe()

    def judge(self, answer: str) -> list[Finding]:
        units, ours = self.files.others(answer), self.files.told(answer, "ours")
        notes = []
        if by_hand := [path for path in self.files.files if path in self.files.told(answer, "theirs")]:
            notes.append(
                f"{', '.join(by_hand)} stay{'s' if len(by_hand) == 1 else ''} here, although this host no longer has "
                "an Airflow role: written by hand, possibly with secrets. Remove it if nothing needs it"
            )
        if ours and units:
            notes.append(
                f"{', '.join(ours)} stay{'s' if len(ours) == 1 else ''} here, including secrets, although this host no "
                f"longer has an Airflow role: still read by {', '.join(units)}"
            )
        return [Finding(self.key, "warning", note) for note in notes]
