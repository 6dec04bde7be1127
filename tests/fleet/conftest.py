"""Real hosts for the fleet tests: a separate practice fleet (`test`), and the real fab."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests import real
from tests.fleet.controllers import TASK, Controller
from tests.real import PROJECT, Done

HOSTS = ("db1", "sched1", "web1", "worker1", "worker2")


class Sampler:
    """Collect the argv of every process on this machine, and thus on all practice hosts, while something runs."""

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
class Fleet(real.Fleet):
    """The practice fleet of these tests."""

    first: Done | None = None  # the first deploy
    sampler: Sampler | None = None  # what ran during it


@pytest.fixture(scope="session")
def bare() -> Iterator[Fleet]:
    """Five bare hosts with the shipped hosts.yaml, adapted to their addresses."""
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    keep = bool(os.environ.get("AERODROME_KEEP_LAB"))  # for writing tests: the fleet stays up between runs
    if not keep:
        lab.down()
    lab.up()
    folder = PROJECT / ".lab" / lab.name
    fleet = Fleet(lab, folder, HOSTS)
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
    """The fleet after its first deploy, watched by a sampler; tests that change it restore it."""
    with Sampler() as bare.sampler:
        bare.first = bare.fab("deploy")
    return bare


@pytest.fixture
def fleet(deployed: Fleet) -> Iterator[Fleet]:
    """The deployed fleet; its hosts.yaml is restored after the test."""
    text = deployed.hosts_yaml.read_text()
    yield deployed
    deployed.hosts_yaml.write_text(text)


@pytest.fixture
def names(bare: Fleet) -> Iterator[None]:
    """Ensure that every /etc/hosts has exactly the fleet's names, before and after."""
    bare.fab(TASK)
    yield
    bare.fab(TASK)


@pytest.fixture
def ann(bare: Fleet) -> Controller:
    return Controller(bare, "ann")


@pytest.fixture
def bob(bare: Fleet) -> Controller:
    return Controller(bare, "bob")


@pytest.fixture
def release(bare: Fleet) -> Iterator[Callable[[], None]]:
    """Keep worker2 readable but unchangeable, so that a run over the fleet does not end until this is called."""
    holder = bare.sh("worker2", "flock -s /run/aerodrome/lock sleep 300 >/dev/null 2>&1 & echo $!").strip()

    def end() -> None:
        bare.lab.run("worker2", f"pkill -P {holder}; kill {holder}")

    yield end
    end()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show the hosts' journals if a test fails."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    fleet = getattr(item, "funcargs", {}).get("fleet") or getattr(item, "funcargs", {}).get("deployed")
    if report.failed and fleet is not None and "--- db1" not in str(report.longrepr):
        report.sections.append(("journals of the hosts", fleet.journals()))
