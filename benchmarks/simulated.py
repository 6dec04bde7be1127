"""Simulated hosts: one process (ssh_server.py) answers for hundreds with a real practice host's answer."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.counts import probes
from benchmarks.measure import Command, Failed
from benchmarks.practice import FAB, PROJECT, Practice
from benchmarks.tools import tool
from lab.keyring import write_secret

SERVER = Path(__file__).with_name("ssh_server.py")
PREFIX = "10.214"  # the prefix of their addresses; hosts.yaml accepts none in 127.0.0.0/8


@contextmanager
def simulated(fleet: Practice, number: int, delay: int) -> Iterator[Command]:
    """Start `number` workers with `delay` ms of added round trip, and yield the deploy of them."""
    port, folder = _free_port(), fleet.folder / f"simulated-{number}-{delay}"
    hosts = {f"simulated{place}": f"{PREFIX}.{place // 250}.{place % 250 + 1}" for place in range(number)}
    fleet.grow(folder, {name: f"address: {address}\n    port: {port}" for name, address in hosts.items()})
    _know(folder, hosts.values(), port)
    _record(fleet, folder)
    python = tool("simulated") / "bin" / "python"
    argv = [str(python), str(SERVER), str(folder), str(port), str(delay)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
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
def addresses() -> Iterator[None]:
    """Make this machine answer at every address of the prefix (ip-route(8), type local)."""
    route = ["local", f"{PREFIX}.0.0/16", "dev", "lo"]
    subprocess.run(["ip", "route", "replace", *route], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "route", "delete", *route], check=True)


def _know(folder: Path, addresses: Iterable[str], port: int) -> None:
    """Create a host key, add it to known_hosts for all addresses, and authorize the operator's key."""
    _keygen("-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key"))
    (folder / "authorized_keys").write_text(_keygen("-y", "-f", str(folder / "id_ed25519")))
    shown = " ".join((folder / "host_key.pub").read_text().split()[:2])
    with (folder / "known_hosts").open("a") as known:
        known.writelines(f"[{address}]:{port} {shown}\n" for address in addresses)


def _record(fleet: Practice, folder: Path) -> None:
    """Save the probe of a real, fully deployed worker, its output, and its duration."""
    hosts_yaml = folder / "hosts.yaml"
    environment = {**fleet.environment(), "AERODROME_HOSTS": str(hosts_yaml)}
    Command((FAB, "-H", "worker1", "setup-node"), PROJECT, environment).run()  # with all their names in its /etc/hosts
    script = probes(hosts_yaml)["worker1"]
    begun = time.perf_counter()
    done = fleet.lab.run("worker1", script)
    seconds = time.perf_counter() - begun
    nonce = done.stdout.split()[0].removeprefix("@")
    if f"@{nonce} end" not in done.stdout:
        raise Failed(f"worker1: its probe cannot be recorded: {done.stdout[-500:]}{done.stderr}")
    # They contain a node's secrets.
    write_secret(folder / "answer", done.stdout.replace(nonce, "NONCE"))
    write_secret(folder / "probe", script.replace(nonce, "NONCE"))
    write_secret(folder / "seconds", f"{seconds}\n")


def _keygen(*arguments: str) -> str:
    done = subprocess.run(["ssh-keygen", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("0.0.0.0", 0))
        return int(probe.getsockname()[1])
