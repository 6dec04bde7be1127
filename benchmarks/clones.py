"""Many real practice hosts, each a clone of a deployed worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks.measure import Command
from benchmarks.practice import FAB, PROJECT, Practice
from lab.layout import MANY

SOURCE = "worker1"
UNIT = "airflow@worker"


@contextmanager
def clones(fleet: Practice, number: int) -> Iterator[Callable[[int], Command]]:
    """Start the clones; yield a function that returns `fab setup-node` for the first n of them, with nothing to do.

    Airflow does not run in them: fifty idle workers would take all of a machine's memory, and distort the measurement.
    """
    names = [spec.name for spec in MANY[:number]]
    folder = fleet.folder / "clones"
    environment = {**fleet.environment(), "AERODROME_HOSTS": str(folder / "hosts.yaml")}

    def setup_node(hosts: Sequence[str], last: str = "") -> Command:
        return Command((FAB, "-H", ",".join(hosts), "setup-node"), PROJECT, environment, last)

    fleet.lab.run(SOURCE, f"systemctl disable {UNIT}")
    fleet.lab.down_host(SOURCE)
    try:
        fleet.lab.clone(SOURCE, names)
        fleet.grow(folder, {name: f"address: {fleet.lab.address(name)}" for name in names})
        setup_node(names).run()  # the names of all in each one's /etc/hosts
        yield lambda first: setup_node(names[:first], "no changes")
    finally:
        fleet.lab.remove(names)
        fleet.lab.up_host(SOURCE)
        fleet.fab("-H", SOURCE, "deploy").run()
