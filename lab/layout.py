"""The practice fleet's hosts, addresses and paths. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

STATE = Path("/var/lib/aerodrome-lab")  # one directory per running lab
CACHE = Path("/var/cache/aerodrome-lab")  # base images and downloads, shared by all labs
PROJECT = Path(__file__).resolve().parent.parent

DEFAULT_LAB = "demo"
DEFAULT_SUITE = "bookworm"

# Each lab has its own subnet, so that the tests' fleet can run alongside a person's. The labs dev1 to dev8 are for
# several checkouts at once.
SUBNETS = {"demo": "10.213.77", "test": "10.213.78", "bench": "10.213.79", "scenarios": "10.213.80"} | {
    f"dev{number}": f"10.213.{80 + number}" for number in range(1, 9)
}


@dataclass(frozen=True)
class HostSpec:
    """The specification of one host: its address, and how to log in and become root."""

    name: str
    number: int  # last part of the address
    user: str = "root"
    asks_password: bool = False  # does sudo ask the user for one?
    via: str | None = None  # the jump host: direct ssh from this machine is refused
    hostname: str = ""  # the machine's hostname, if it differs from its name in hosts.yaml

    @property
    def node(self) -> str:
        """The machine's hostname (`uname -n`)."""
        return self.hostname or self.name


# Together, the five cover every way of logging in that a real fleet may use.
FLEET = (
    HostSpec("db1", 11),
    HostSpec("sched1", 12, user="ops"),
    HostSpec("web1", 13, user="ops", asks_password=True),
    HostSpec("worker1", 14),
    HostSpec("worker2", 15, user="ops", via="sched1", hostname="debian"),  # like virtual machine images
)
EXTRAS = (  # started on demand, by tests
    HostSpec("worker3", 16, hostname="ip-10-0-0-16"),  # like cloud machines
    HostSpec("old1", 17),
    HostSpec("new1", 18),
    HostSpec("redis1", 19),
)
MANY = tuple(HostSpec(f"many{number}", 30 + number) for number in range(1, 51))  # started by benchmarks, as clones
HOSTS = {spec.name: spec for spec in FLEET + EXTRAS + MANY}


def host_spec(name: str) -> HostSpec:
    """Return the host called `name`."""
    if name not in HOSTS:
        known = ", ".join(spec.name for spec in FLEET + EXTRAS)
        raise LabError(f"there is no host {name} in the lab", f"known: {known}, {MANY[0].name} to {MANY[-1].name}")
    return HOSTS[name]


def labs() -> list[str]:
    """Return the labs that exist on this machine."""
    return [name for name in SUBNETS if (STATE / name).is_dir()]


@dataclass(frozen=True)
class Layout:
    """Names, addresses and directories of one lab."""

    name: str = DEFAULT_LAB

    def __post_init__(self) -> None:
        if self.name not in SUBNETS:
            known = ", ".join(SUBNETS)
            raise LabError(f"there is no lab {self.name}", f"set AERODROME_LAB to one of: {known}")

    @property
    def bridge(self) -> str:
        return f"aero-{self.name}"

    @property
    def table(self) -> str:
        return f"aerodrome_{self.name}"

    @property
    def subnet(self) -> str:
        return f"{SUBNETS[self.name]}.0/24"

    @property
    def gateway(self) -> str:
        return f"{SUBNETS[self.name]}.1"

    def address(self, spec: HostSpec) -> str:
        return f"{SUBNETS[self.name]}.{spec.number}"

    def machine(self, spec: HostSpec) -> str:
        """Return the name that systemd-nspawn gives the host.

        By number: an interface name holds 15 characters, and vb-bench-worker1 has 16.
        """
        return f"{self.name}-{spec.number}"

    def port(self, spec: HostSpec) -> str:
        """Return the host's end of the bridge, as systemd-nspawn names it."""
        return f"vb-{self.machine(spec)}"

    @property
    def state(self) -> Path:
        return STATE / self.name

    def host(self, spec: HostSpec) -> Path:
        return self.state / "hosts" / spec.name

    @property
    def client(self) -> Path:
        """Return the directory in the project with everything needed to log in."""
        return PROJECT / ".lab" / self.name
