"""Concurrent runs: one change at a time, and never a fleet that is half of each."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.real import FAB, PROJECT
from tests.scenarios.conftest import Site, described, raise_hosts, run_the_dag
from tests.scenarios.scenario import HEAD, WORKER, apart

pytestmark = pytest.mark.slow

SCENARIO = apart("3.3.2-together", "3.3.2")


@pytest.fixture(scope="module")
def site(lab: Lab) -> Site:
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    site.fab("deploy")
    return site


def start(site: Site, name: str, hosts_yaml: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a run with this hosts.yaml and the same secrets."""
    return subprocess.Popen(
        [FAB, *arguments],
        cwd=PROJECT,
        env={**site.environment(), "AERODROME_HOSTS": str(hosts_yaml), "AERODROME_PERFORMER": f"{name}@test"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def of(site: Site, name: str) -> Path:
    """Return a hosts.yaml like the site's, with another value of a variable."""
    path = site.folder / f"of-{name}.yaml"
    text = site.hosts_yaml.read_text()
    path.write_text(text.replace("\nairflow:\n", f"\nairflow:\n  environment: {{WHOSE: {name}}}\n", 1))
    secrets = path.with_name(f"of-{name}.secrets.yaml")
    with open(os.open(secrets, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
        opened.write(site.folder.joinpath("secrets.yaml").read_text())
    return path


def whose(site: Site) -> set[str]:
    """Return whose values the files of all hosts and the processes of all units have."""
    found = (
        "cat /etc/default/airflow*; "
        "for unit in $(systemctl list-units --plain --no-legend 'airflow@*' | cut -d' ' -f1); do "
        "tr '\\0' '\\n' </proc/$(systemctl show -p MainPID --value $unit)/environ; done"
    )
    lines = [line for host in (HEAD, WORKER) for line in site.sh(host, found).splitlines()]
    return {line for line in lines if line.startswith("WHOSE=")}


def units(site: Site) -> set[tuple[str, str, bool]]:
    """Return the running Airflow units; `status` exits with 1 if some do not run."""
    out, _ = site.start("status", "--json").communicate(timeout=120)
    return {
        (row["host"], row["role"], row["active"] == "active") for row in json.loads(out) if row["role"] != "database"
    }


def test_of_two_deploys_with_other_values_the_fleet_is_the_second_ones(site: Site) -> None:
    runs = {name: start(site, name, of(site, name), "deploy") for name in ("ann", "bob")}
    said = {name: run.communicate(timeout=600)[1] for name, run in runs.items()}

    assert {name: run.returncode for name, run in runs.items()} == {"ann": 0, "bob": 0}, said
    (second,) = [name for name, text in said.items() if "which has been changing the fleet since" in text]
    print(said[second])
    first = next(name for name in runs if name != second)
    assert f"waiting for {first}@test: fab deploy" in said[second]
    assert whose(site) == {f"WHOSE={second}"}
    site.fab("status")
    run_the_dag(site)


@pytest.mark.parametrize("first", ["deploy", "stop"])
def test_a_deploy_and_a_stop_come_one_after_the_other(site: Site, first: str) -> None:
    site.fab("deploy")  # back to neither's values, so that the next run restarts everything
    arguments = {"deploy": ["deploy"], "stop": ["stop"]}
    second = "stop" if first == "deploy" else "deploy"
    hosts_yaml = of(site, "cleo")

    one = start(site, "one", hosts_yaml, *arguments[first])
    assert one.stderr is not None
    begun = [next(line for line in one.stderr if "  " in line)]  # it changes something, so the lock is its own
    two = start(site, "two", hosts_yaml, *arguments[second])
    began = time.monotonic()
    said = {"one": "".join(begun) + one.communicate(timeout=600)[1], "two": two.communicate(timeout=600)[1]}

    print(f"{time.monotonic() - began:.0f} s", *said.values(), sep="\n")
    assert (one.returncode, two.returncode) == (0, 0), said
    assert f"waiting for one@test: fab {first}" in said["two"]
    running = {active for _, _, active in units(site)}
    assert running == {second == "deploy"}
    if second == "deploy":
        assert whose(site) == {"WHOSE=cleo"}
        site.fab("status")
    else:
        start(site, "three", hosts_yaml, "start").communicate(timeout=600)
