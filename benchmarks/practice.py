"""The practice fleet of the benchmarks: the lab `bench` (AERODROME_BENCH_LAB), its hosts.yaml, and fab on it."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aerodrome.resources.systemd import SETTLES
from benchmarks.measure import Command, Failed
from lab import cache
from lab.fleet import Lab

PROJECT = Path(__file__).resolve().parent.parent
FAB = str(Path(sys.executable).with_name("fab"))
OURS = "fab deploy"
HOSTS = ("db1", "sched1", "web1", "worker1", "worker2")

# The downloads of an installer, on each host's own disk, as on a host that has installed before. uv then links the
# files into the environment; from the cache that all labs share, it would copy them. pip caches a download only if the
# index permits it, which mirrors often do not, so its downloads are in a folder that pip.conf names. The index is
# turned off: of two identical files, pip would take the one that it has to download.
WHEELS, UV = f"{cache.BINDS['pip']}/benchmarks", f"{cache.BINDS['uv']}/benchmarks"
OWN_UV = "/var/cache/uv-own"
KEEP_UV = f"rm -rf {UV}\nsed -i 's|{cache.BINDS['uv']}|{UV}|' /etc/environment /etc/uv/uv.toml"
LINKS = "sed -i -e '/^link-mode/d' -e '/^UV_LINK_MODE/d' /etc/environment /etc/uv/uv.toml"
KEEP_WHEELS = f"""set -e
cd /var/cache/aerodrome
for lock in /opt/aerodrome/airflow/requirements/*/requirements.txt /opt/aerodrome/airflow/requirements/*/uv.txt; do
    runuser -u aerodrome -- env PYTHONPATH="$(echo /usr/share/python-wheels/pip-*.whl)" python3 -m pip download -q \\
        --no-cache-dir --no-deps --require-hashes -r "$lock" -d {WHEELS}
done"""
# 997: the system user that installs, created after the service user (999). Hard links require ownership of the file
# (proc(5), protected_hardlinks).
LEND = f"""set -e
printf 'find-links = %s\\nno-index = true\\n' {WHEELS} >>/etc/pip.conf
cp -r {UV} {OWN_UV}
chown -R 997:996 {OWN_UV}
sed -i 's|{cache.BINDS["uv"]}|{OWN_UV}|' /etc/environment /etc/uv/uv.toml
{LINKS}"""

# Each host gets an empty folder in place of the cache that all labs share, which stays untouched, and loses apt's
# downloads. Once wiped, it uses the shared cache again.
COLD = f"""set -e
for folder in {" ".join(cache.BINDS.values())}; do umount "$folder"; chmod 1777 "$folder"; done
{LINKS}
apt-get clean
rm -rf /var/lib/apt/lists/*"""


def operators() -> dict[str, str]:
    """Return an operator's environment, without variables for Python or Aerodrome."""
    told = ("AERODROME_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(told)}


@dataclass(frozen=True)
class Practice:
    """Five hosts that are up."""

    lab: Lab

    @property
    def folder(self) -> Path:
        """The directory with key, known_hosts, ssh_config, sudo password and hosts.yaml."""
        return self.lab.layout.client

    @property
    def hosts_yaml(self) -> Path:
        return self.folder / "hosts.yaml"

    def environment(self) -> dict[str, str]:
        """Return fab's environment."""
        return {**operators(), "AERODROME_HOSTS": str(self.hosts_yaml)}

    def fab(self, *arguments: str, last: str = "") -> Command:
        """Return a run of fab on this fleet."""
        return Command((FAB, *arguments), PROJECT, self.environment(), last)

    def wipe(self) -> None:
        """Reset every host to a bare system."""
        for name in HOSTS:
            self.lab.wipe_host(name)

    def settle(self) -> None:
        """Wait until no unit has started recently; otherwise a run with nothing to do would check its health too."""
        time.sleep(SETTLES + 15)

    def keep_downloads(self) -> None:
        """Install worker1 from scratch, and keep what uv and pip download."""
        self.lab.wipe_host("worker1")
        self._run("worker1", KEEP_UV)
        self.fab("-H", "worker1", "setup-node").run()
        self._run("worker1", KEEP_WHEELS)

    def lend_downloads(self) -> None:
        """Let uv and pip on every host use the kept downloads, until the host is wiped."""
        for name in HOSTS:
            self._run(name, LEND)

    def forget_downloads(self) -> None:
        """Make every host look as if it had never downloaded a package, until it is wiped."""
        for name in HOSTS:
            self._run(name, COLD)

    def _run(self, name: str, script: str) -> None:
        done = self.lab.run(name, script)
        if done.returncode:
            raise Failed(f"{name} could not be made ready: {done.stderr.strip()}")

    def write_hosts(self, environment: Mapping[str, str] | None = None) -> None:
        """Write the shipped hosts.yaml with this lab's addresses and keys, and with variables for every node."""
        subnet = self.lab.address("db1").rpartition(".")[0]
        text = (PROJECT / "hosts.yaml").read_text()
        text = text.replace("10.213.77.", f"{subnet}.").replace(".lab/demo/", "")
        text = text.replace("dags: examples/dags", f"dags: {PROJECT}/examples/dags")
        if environment:
            text = text.replace("\nairflow:\n", f"\nairflow:\n  environment: {json.dumps(environment)}\n")
        self.hosts_yaml.write_text(text)

    def grow(self, folder: Path, workers: Mapping[str, str]) -> None:
        """Write a hosts.yaml into `folder`, with keys and secrets: this fleet with additional workers.

        `workers` maps each name to its keys in hosts.yaml (`address: 10.0.0.1`).
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for name in ("id_ed25519", "known_hosts", "sudo-password", "secrets.yaml"):
            shutil.copy(self.folder / name, folder)
        settings = "worker: {queues: [default], concurrency: 2}"
        entries = "".join(f"  {name}:\n    {reached}\n    {settings}\n" for name, reached in workers.items())
        text = self.hosts_yaml.read_text().replace("\nhosts:\n", f"\nhosts:\n{entries}")
        role = "worker: [worker1, worker2"
        (folder / "hosts.yaml").write_text(text.replace(role, f"{role}, {', '.join(workers)}"))


@contextmanager
def practice(keep: bool) -> Iterator[Practice]:
    """Start the fleet, and take it down at the end even after an error; `keep` leaves it up for the next run."""
    lab = Lab(os.environ.get("AERODROME_BENCH_LAB", "bench"))
    try:
        lab.up()
        fleet = Practice(lab)
        fleet.write_hosts()
        yield fleet
    finally:
        if not keep:
            lab.down()
