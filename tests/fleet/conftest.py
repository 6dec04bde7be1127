"""Real hosts for the tests: a practice fleet of its own (`test`), and the real fab."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.fleet import Lab

PROJECT = Path(__file__).resolve().parents[2]
HOSTS = ("db1", "sched1", "web1", "worker1", "worker2")
FAB = Path(sys.executable).with_name("fab")


@dataclass
class Done:
    """How a run of fab ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Sampler:
    """Collect the argv of every process of this machine, and so of all practice hosts, while something runs."""

    INTERVAL = 0.05  # seconds

    def __init__(self) -> None:
        self.argv: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._collect, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _collect(self) -> None:
        while not self._over.wait(self.INTERVAL):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    self.argv.add(process.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))


@dataclass
class Fleet:
    """The practice fleet of the tests, and fab on it."""

    lab: Lab
    folder: Path  # with hosts.yaml, secrets.yaml, key and known_hosts
    first: Done | None = None  # the first deploy
    sampler: Sampler | None = None  # what ran meanwhile

    @property
    def hosts_yaml(self) -> Path:
        return self.folder / "hosts.yaml"

    @property
    def web_url(self) -> str:
        return f"http://{self.lab.address('web1')}:8080"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AERODROME_")}
        return {**kept, "AERODROME_HOSTS": str(self.hosts_yaml)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a run of fab and return its process."""
        return subprocess.Popen(
            [FAB, *arguments],
            cwd=PROJECT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fab(self, *arguments: str, code: int = 0) -> Done:
        """Run fab and hold its exit code; show the journals of hosts where it is another."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=900)
        done = Done(process.returncode, out, err)
        if done.code != code:
            pytest.fail(f"fab {' '.join(arguments)} ended with {done.code}:\n{done.text}\n{self.journals()}")
        return done

    def nothing_to_do(self, *arguments: str) -> None:
        """Run a task for the second time."""
        again = self.fab(*arguments)
        assert again.err.splitlines()[-1] == "no changes", again.text

    def sh(self, host: str, command: str) -> str:
        """Run shell on a host as root, past ssh, and return what it prints."""
        done = self.lab.run(host, command)
        assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def started(self) -> dict[tuple[str, str], str]:
        """Return when each unit of each host was started: what has not been touched stays equal."""
        command = (
            "for unit in $(systemctl list-units --plain --no-legend 'airflow@*' 'postgresql@*' | cut -d' ' -f1); do "
            'echo "$unit $(systemctl show -p MainPID --value $unit) $(systemctl show -p NRestarts --value $unit)"; done'
        )
        return {
            (host, line.split()[0]): line for host in HOSTS for line in self.lab.run(host, command).stdout.splitlines()
        }

    def journals(self) -> str:
        """Return the last lines of every unit's journal, for a test that failed."""
        command = "journalctl --no-pager -q -n 200 -u 'airflow@*' -u 'postgresql*' | grep -vF '[info ' | tail -n 25"
        return "\n".join(f"--- {host}\n{self._said(host, command)}" for host in HOSTS)

    def _said(self, host: str, command: str) -> str:
        try:
            return self.lab.run(host, command).stdout
        except LabError as error:  # it is down: the failure itself must still be shown
            return str(error)

    def change(self, old: str, new: str) -> None:
        """Replace a part of hosts.yaml."""
        text = self.hosts_yaml.read_text()
        assert old in text, old
        self.hosts_yaml.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="session")
def bare() -> Iterator[Fleet]:
    """Five bare hosts, with the hosts.yaml that ships, at their own addresses."""
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    keep = bool(os.environ.get("AERODROME_KEEP_LAB"))  # for writing tests: the fleet stays from run to run
    if not keep:
        lab.down()
    lab.up()
    folder = PROJECT / ".lab" / lab.name
    fleet = Fleet(lab, folder)
    text = (PROJECT / "hosts.yaml").read_text()
    subnet = lab.address("db1").rpartition(".")[0]
    text = text.replace("10.213.77.", f"{subnet}.").replace(".lab/demo/", "")
    fleet.hosts_yaml.write_text(text.replace("dags: examples/dags", f"dags: {PROJECT}/examples/dags"))
    try:
        yield fleet
    finally:
        if not keep:
            lab.down()


@pytest.fixture(scope="session")
def deployed(bare: Fleet) -> Fleet:
    """The fleet after its first deploy, watched by a sampler; tests that change it put it back."""
    with Sampler() as bare.sampler:
        bare.first = bare.fab("deploy")
    return bare


@pytest.fixture
def fleet(deployed: Fleet) -> Iterator[Fleet]:
    """The deployed fleet, whose hosts.yaml is put back after the test."""
    text = deployed.hosts_yaml.read_text()
    yield deployed
    deployed.hosts_yaml.write_text(text)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the hosts' journals where a test fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    fleet = getattr(item, "funcargs", {}).get("fleet") or getattr(item, "funcargs", {}).get("deployed")
    if report.failed and fleet is not None and "--- db1" not in str(report.longrepr):
        report.sections.append(("journals of the hosts", fleet.journals()))
