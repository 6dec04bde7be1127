"""The practice fleet of the benchmarks: the lab `bench` (AERODROME_BENCH_LAB), its hosts.yaml, and fab on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command
from lab.fleet import Lab

PROJECT = Path(__file__).resolve().parent.parent
FAB = str(Path(sys.executable).with_name("fab"))
OURS = "fab deploy"
HOSTS = ("db1", "sched1", "web1", "worker1", "worker2")


@dataclass(frozen=True)
class Practice:
    """Five hosts that are up."""

    lab: Lab

    @property
    def folder(self) -> Path:
        """Where key, known_hosts, ssh_config, sudo password and hosts.yaml are."""
        return self.lab.layout.client

    @property
    def hosts_yaml(self) -> Path:
        return self.folder / "hosts.yaml"

    def environment(self) -> dict[str, str]:
        """Return what fab runs with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AERODROME_")}
        return {**kept, "AERODROME_HOSTS": str(self.hosts_yaml)}

    def fab(self, *arguments: str, last: str = "") -> Command:
        """Return a run of fab on this fleet."""
        return Command((FAB, *arguments), PROJECT, self.environment(), last)

    def wipe(self) -> None:
        """Make every host bare again."""
        for name in HOSTS:
            self.lab.wipe_host(name)

    def write_hosts(self) -> None:
        """Write the hosts.yaml that ships, with this lab's addresses and keys."""
        subnet = self.lab.address("db1").rpartition(".")[0]
        text = (PROJECT / "hosts.yaml").read_text()
        text = text.replace("10.213.77.", f"{subnet}.").replace(".lab/demo/", "")
        self.hosts_yaml.write_text(text.replace("dags: examples/dags", f"dags: {PROJECT}/examples/dags"))


@contextmanager
def practice(keep: bool) -> Iterator[Practice]:
    """Raise the fleet, and bring it down at the end, however that comes; `keep` leaves it for the next run."""
    lab = Lab(os.environ.get("AERODROME_BENCH_LAB", "bench"))
    try:
        lab.up()
        fleet = Practice(lab)
        fleet.write_hosts()
        yield fleet
    finally:
        if not keep:
            lab.down()
