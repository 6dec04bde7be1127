"""Copy 1,000 DAG files to every node, first new and then unchanged: `fab deploy-dags`, and rsync over ssh."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Command, Failed, by_turns, ratios
from benchmarks.practice import PROJECT, Practice
from benchmarks.report import Costs, Goal, Section, side_by_side

SCRIPT = Path(__file__).with_name("rsync.sh")
FILES, BYTES = 1000, 10_000  # and in each file
NODES = ("sched1", "web1", "worker1", "worker2")
OURS, RSYNC = "fab deploy-dags", "rsync"
HOME = "/usr/local/airflow"
# rsync gets a separate directory, because Aerodrome's path is a link
FOLDERS = {OURS: f"{HOME}/dags {HOME}/dags-releases", RSYNC: f"{HOME}/dags-by-rsync"}


def dags(fleet: Practice, rounds: int) -> Iterator[Section]:
    """Measure both in turn on a deployed fleet; its own DAGs are restored at the end."""
    folder = fleet.folder / "dags"
    _let_rsync_in(fleet)
    shipped = fleet.hosts_yaml.read_text()
    fleet.hosts_yaml.write_text(shipped.replace(f"dags: {PROJECT}/examples/dags", f"dags: {folder}"))
    try:
        yield from _measure(fleet, folder, rounds)
    finally:
        fleet.hosts_yaml.write_text(shipped)
        fleet.fab("deploy-dags").run()
        for node in NODES:
            fleet.lab.run(node, f"rm -rf {FOLDERS[RSYNC]}")


def _measure(fleet: Practice, folder: Path, rounds: int) -> Iterator[Section]:
    _write(folder)

    def wipe(way: str) -> None:
        for node in NODES:
            _as_root(fleet, node, f"rm -rf {FOLDERS[way]}; sync")

    note = f"{FILES} files of {BYTES / 1000:g} kB each to {len(NODES)} nodes at once"
    ways = {OURS: fleet.fab("deploy-dags", last=f"done: {len(NODES)} hosts changed"), RSYNC: _rsync(fleet, folder)}
    first = by_turns(ways, rounds, wipe)
    _assert_there(fleet, folder)
    yield side_by_side("DAGs, first", f"{note}, none there.", first, RSYNC, (_goal("first", first, 1.2),))
    ways[OURS] = fleet.fab("deploy-dags", last="no changes")
    again = by_turns(ways, rounds)
    yield side_by_side("DAGs, unchanged", f"{note}, all there.", again, RSYNC, (_goal("unchanged", again, 1),))


def _goal(what: str, costs: Costs, limit: float) -> Goal:
    return Goal(f"DAGs, {what}: {OURS} / {RSYNC}", ratios(costs[OURS], costs[RSYNC]), limit)


def _write(folder: Path) -> None:
    """Write the files: as compressible as Python, identical in every run, and all different."""
    words = (PROJECT / "examples").rglob("*.py")
    known = " ".join(file.read_text() for file in words).split(" ")
    chance = random.Random(0)
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(FILES):
        file = folder / f"team{number % 20}" / f"dag{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"# {chance.random()} {' '.join(chance.choices(known, k=8))}".replace("\n", " ") for _ in range(200))
        file.write_text("\n".join(lines).ljust(BYTES)[: BYTES - 1] + "\n")


def _rsync(fleet: Practice, folder: Path) -> Command:
    argv = ("sh", SCRIPT, fleet.folder / "ssh_config", folder, FOLDERS[RSYNC], *NODES)
    return Command(tuple(map(str, argv)), PROJECT, dict(os.environ))


def _let_rsync_in(fleet: Practice) -> None:
    """Set up rsync as an operator would: install it, and let the login user run it as root."""
    if not shutil.which("rsync"):
        raise Failed("rsync is not on this machine: apt-get install rsync")
    for node in NODES:
        _as_root(fleet, node, "command -v rsync || apt-get install -q -y --no-install-recommends rsync </dev/null")
        _as_root(fleet, node, "umask 377; echo 'ops ALL=(root) NOPASSWD: /usr/bin/rsync' >/etc/sudoers.d/rsync")


def _assert_there(fleet: Practice, folder: Path) -> None:
    """Raise Failed unless both ways left exactly these files on all nodes."""
    sums = "find . -type f | sort | xargs sha256sum | sha256sum"
    here = Command(("sh", "-c", sums), folder, dict(os.environ)).run().lines[0][1]
    for node in NODES:
        for place in (f"{HOME}/dags/", FOLDERS[RSYNC]):
            if fleet.lab.run(node, f"cd {place} && {sums}").stdout.strip() != here:
                raise Failed(f"{node}: {place} has not the files that were sent")


def _as_root(fleet: Practice, node: str, command: str) -> None:
    done = fleet.lab.run(node, command)
    if done.returncode:
        raise Failed(f"{node}: {command}: {done.stderr.strip()}")
