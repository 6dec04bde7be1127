"""How the cost of a deploy with nothing to do grows with the number of hosts and with the round trip to them."""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.counts import probes
from benchmarks.measure import Command, Cost, Failed, Spread, by_turns
from benchmarks.practice import FAB, PROJECT, Practice
from benchmarks.report import Goal, Section
from benchmarks.tools import tool

SERVER = Path(__file__).with_name("simulated.py")
NUMBERS = (100, 200, 500)
DELAYS = (0, 20, 100)  # milliseconds of added round trip
PREFIX = "10.214"  # of the simulated hosts' addresses; hosts.yaml takes none of 127.0.0.0/8
HEADER = ("hosts", "round trip ms", "runs", "median s", "min–max s", "ms a host", "CPU s", "memory MB")
Points = Mapping[tuple[int, int], Sequence[Cost]]  # hosts, round trip → runs


def simulated(fleet: Practice, rounds: int) -> Section:
    """Measure `fab deploy` of workers that all answer as a real one did, on a fleet that is deployed."""
    points: dict[tuple[int, int], Sequence[Cost]] = {}
    for number in NUMBERS:
        folder = fleet.folder / f"simulated-{number}"
        for delay in DELAYS:
            with _serving(fleet, folder, number, delay) as command:
                way = f"{number} hosts, {delay} ms"
                points[number, delay] = by_turns({way: command}, rounds)[way]
    note = "Simulated: one process answers as a real worker did, to the byte. The controller is real, and `fab deploy`."
    runs = {f"{number} hosts, {delay} ms": [round(cost.seconds, 3) for cost in costs]
            for (number, delay), costs in points.items()}  # fmt: skip
    return Section("Many hosts", note, HEADER, tuple(_row(*point, costs) for point, costs in points.items()),
                   goals(points), runs)  # fmt: skip


def goals(points: Points) -> tuple[Goal, ...]:
    """Return what is aimed at, for those numbers of hosts that were measured."""
    least, most = min(NUMBERS), max(NUMBERS)
    line = [
        straightness(
            [(number, statistics.median(cost.seconds for cost in points[number, delay])) for number in NUMBERS]
        )
        for delay in DELAYS
    ]
    memory = [cost.memory for delay in DELAYS for cost in points[most, delay]]
    return (
        Goal(f"{least} hosts at 20 ms", Spread.of([cost.seconds for cost in points[least, 20]]), 6, unit="s"),
        Goal(f"memory at {most} hosts", Spread.of(memory), 250, unit="MB"),
        Goal(f"a host more at {most} / a host more at {least}", Spread.of(line), 1.1),
    )


def straightness(points: Sequence[tuple[int, float]]) -> float:
    """Return how many times more a further host costs at the end of a curve than at its beginning; 1 is a line.

    `points` are hosts and seconds, at least three. Of the first and the last stretch between two of them.
    """
    (a, at_a), (b, at_b), *_ = points
    *_, (y, at_y), (z, at_z) = points
    return (at_z - at_y) / (z - y) / ((at_b - at_a) / (b - a))


def _row(number: int, delay: int, costs: Sequence[Cost]) -> tuple[str, ...]:
    seconds = Spread.of([cost.seconds for cost in costs])
    return (
        str(number),
        str(delay),
        str(len(costs)),
        f"{seconds.median:.2f}",
        f"{seconds.low:.2f}–{seconds.high:.2f}",
        f"{1000 * seconds.median / number:.1f}",
        f"{statistics.median(cost.cpu for cost in costs):.2f}",
        f"{max(cost.memory for cost in costs):.0f}",
    )


@contextmanager
def _serving(fleet: Practice, folder: Path, number: int, delay: int) -> Iterator[Command]:
    """Start the simulated hosts, and yield the deploy of them; they end with their standard input."""
    port = _free_port()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    hosts = {f"simulated{place}": f"{PREFIX}.{place // 250}.{place % 250 + 1}" for place in range(number)}
    _describe(fleet, folder, hosts, port)
    (folder / "answer").write_text(_record(fleet, folder), errors="surrogateescape")
    python = tool("simulated") / "bin" / "python"
    argv = [str(python), str(SERVER), str(folder), str(port), str(delay)]
    with _addresses(), subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None and server.stdout is not None
        try:
            if server.stdout.readline() != "ready\n":
                raise Failed("the simulated hosts did not start")
            environment = {**fleet.environment(), "AERODROME_HOSTS": str(folder / "hosts.yaml")}
            yield Command((FAB, "-H", ",".join(hosts), "deploy"), PROJECT, environment, last="no changes")
        finally:
            server.stdin.close()
            server.wait(30)


@contextmanager
def _addresses() -> Iterator[None]:
    """Make this machine answer at every address of the prefix (ip-route(8), type local)."""
    route = ["local", f"{PREFIX}.0.0/16", "dev", "lo"]
    subprocess.run(["ip", "route", "replace", *route], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "delete", *route], check=True)


def _describe(fleet: Practice, folder: Path, hosts: Mapping[str, str], port: int) -> None:
    """Write hosts.yaml: the fleet with as many further workers; their keys, and what they know of ours."""
    _keygen("-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key"))
    (folder / "authorized_keys").write_text(_keygen("-y", "-f", str(fleet.folder / "id_ed25519")))
    shown = (folder / "host_key.pub").read_text().split()[:2]
    known = [f"[{address}]:{port} {' '.join(shown)}\n" for address in hosts.values()]
    (folder / "known_hosts").write_text((fleet.folder / "known_hosts").read_text() + "".join(known))
    for name in ("id_ed25519", "sudo-password", "secrets.yaml"):
        shutil.copy(fleet.folder / name, folder)
    entries = "".join(
        f"  {name}:\n    address: {address}\n    port: {port}\n    worker: {{queues: [default], concurrency: 2}}\n"
        for name, address in hosts.items()
    )
    text = fleet.hosts_yaml.read_text().replace("\nhosts:\n", f"\nhosts:\n{entries}")
    workers = "worker: [worker1, worker2"
    (folder / "hosts.yaml").write_text(text.replace(workers, f"{workers}, {', '.join(hosts)}"))


def _record(fleet: Practice, folder: Path) -> str:
    """Return what the probe of a real worker prints that is as this hosts.yaml wants it."""
    hosts_yaml = folder / "hosts.yaml"
    environment = {**fleet.environment(), "AERODROME_HOSTS": str(hosts_yaml)}
    Command((FAB, "-H", "worker1", "setup-node"), PROJECT, environment).run()  # all their names in its /etc/hosts
    script = probes(hosts_yaml)["worker1"]
    done = fleet.lab.run("worker1", script)
    nonce = done.stdout.split()[0].removeprefix("@")
    if f"@{nonce} end" not in done.stdout:
        raise Failed(f"worker1: its probe cannot be recorded: {done.stdout[-500:]}{done.stderr}")
    return done.stdout.replace(nonce, "NONCE")


def _keygen(*arguments: str) -> str:
    done = subprocess.run(["ssh-keygen", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])
