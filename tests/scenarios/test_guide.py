"""astronomer-certified 1.10.10 as in the guide: its names, files and commands, on Python 3.7."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from lab.fleet import Lab
from tests.real import PASSWORD
from tests.scenarios.conftest import Site, described, raise_hosts, run_the_dag, write_secret
from tests.scenarios.index import serving
from tests.scenarios.scenario import HEAD, WORKER, apart
from tests.scenarios.web import led_to, lets_in, status

SCENARIO = apart("astronomer-certified-1.10.10", "1.10.10", python="3.7")
SERVICE = "astronomer-certified"


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """The guide's three roles on two hosts, installed from a lock file with hashes and an extra index."""
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    with serving(lab.layout.gateway) as index:
        site.change("version: 1.10.10", f"distribution: {SERVICE}\n  version: 1.10.10.*\n  extra_index_url: {index}")
        yield site


def test_without_a_lock_it_is_refused_with_the_ways_out(site: Site) -> None:
    done = site.fab("plan", code=1)

    assert "there is no lock file for astronomer-certified 1.10.10.* on Python 3.7" in done.err
    assert "fab pin" in done.err and "airflow.constraints" in done.err and "airflow.pinned: false" in done.err


def test_unpinned_with_a_further_index_is_reported_as_a_risk(site: Site) -> None:
    text = site.hosts_yaml.read_text()
    site.change("\nairflow:\n", "\nairflow:\n  pinned: false\n")
    told = site.fab("plan", code=2).err
    site.hosts_yaml.write_text(text)

    assert "note: airflow.extra_index_url without a lock file: whoever can put a package of the same name" in told


def test_a_run_ends_well(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = site.folder / "astronomer.txt"
    index = re.search(r"extra_index_url: (\S+)", site.hosts_yaml.read_text())
    assert index
    monkeypatch.setenv("UV_INDEX", index[1])
    site.fab("pin", f"--distribution={SERVICE}", "--version=1.10.10.*", "--python=3.7", f"--output={lock}")
    monkeypatch.delenv("UV_INDEX")
    assert re.search(r"^astronomer-certified==1\.10\.10\.post1 \\\n    --hash=sha256:", lock.read_text(), re.MULTILINE)
    site.change("\nairflow:\n", f"\nairflow:\n  lock: {os.path.basename(lock)}\n")

    site.fab("deploy")
    run_the_dag(site)
    site.nothing_to_do("deploy")


def test_its_names_are_the_guides(site: Site) -> None:
    unit = site.sh(HEAD, f"systemctl cat {SERVICE}@scheduler.service")
    assert f"EnvironmentFile=/etc/default/{SERVICE}" in unit
    assert "User=astro" in unit and "WorkingDirectory=/usr/local/airflow" in unit
    assert "ExecStart=/opt/aerodrome/astronomer-certified/venv/bin/airflow %i" in unit
    assert "ExecStartPre=/opt/aerodrome/astronomer-certified/venv/bin/airflow upgradedb" in unit
    for host, role in ((HEAD, "scheduler"), (HEAD, "webserver"), (WORKER, "worker")):
        state = site.sh(host, f"systemctl is-active {SERVICE}@{role}; systemctl is-enabled {SERVICE}@{role}")
        assert state.split() == ["active", "enabled"]
        # The pid file is no longer in AIRFLOW_HOME, which belongs to root.
        command = site.sh(host, f"systemctl show -p ExecStart {SERVICE}@{role}")
        assert re.search(rf"bin/airflow {role}( --pid /run/\S+| --celery_hostname \S+)? ;", command), command
    assert "upgradedb" not in site.sh(WORKER, f"systemctl cat {SERVICE}@worker.service")
    variables = site.sh(WORKER, f"stat -c '%U:%G %a' /etc/default/{SERVICE}; cat /etc/default/{SERVICE}").splitlines()
    assert variables[0] == "root:root 600"
    assert {"AIRFLOW_HOME=/usr/local/airflow", "AIRFLOW__CORE__LOAD_EXAMPLES=False"} <= set(variables)
    packages = site.sh(WORKER, "ls -d /opt/aerodrome/astronomer-certified/venv/lib/python3.7/site-packages/*-info")
    assert "/astronomer_certified-1.10.10.post1.dist-info" in packages
    assert "/apache_airflow-1.10.10.dist-info" in packages


def test_it_is_safer_than_that_version_by_default(site: Site) -> None:
    for path in ("/api/experimental/test", "/api/experimental/latest_runs"):
        assert status(site.web_url + path) == 403
    assert "/login/" in led_to(f"{site.web_url}/home")
    write_secret(site.folder / "login", PASSWORD)
    site.fab("create-user", "--name=ada", f"--password=!file {site.folder / 'login'}")
    assert lets_in(1, site.web_url, "ada", PASSWORD)
    assert not lets_in(1, site.web_url, "ada", "wrong")
    secret = re.search(
        r"^AIRFLOW__WEBSERVER__SECRET_KEY=(\S{32,})$", site.sh(HEAD, f"cat /etc/default/{SERVICE}"), re.M
    )
    assert secret and secret[1] != "temporary_key"
