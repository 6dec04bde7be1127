"""The sandbox of a role as set in hosts.yaml, shown by where a task can write, on Debian 13."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts, run_to_success
from tests.scenarios.scenario import DEBIAN_13, apart
from tests.scenarios.test_versions import exposure, rows

pytestmark = pytest.mark.slow

SCENARIO = apart("3.3.2-sandbox", "3.3.2", {"worker": (DEBIAN_13,)}, suites={DEBIAN_13: "trixie"})
PLACES = "/data /srv/theirs /etc/theirs"
LOGS = "/usr/local/airflow/logs"


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A fleet with a DAG that tries where it can write, and directories of the service user on the worker's host."""
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    folder: Path = tmp_path_factory.mktemp("sandbox") / "dags"
    folder.mkdir()
    shutil.copy(DAGS.with_name("more_dags") / "writes.py", folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.fab("deploy")
    site.sh(DEBIAN_13, f"install -d -o astro -g astro {PLACES}")
    return site


def of_worker(site: Site, settings: str) -> dict[str, float]:
    """Deploy with these settings of the role worker; return the exposure of each Airflow unit."""
    text = site.hosts_yaml.read_text().splitlines()
    role = f"  worker: {{hosts: [{DEBIAN_13}]{', ' if settings else ''}{settings}}}"
    site.hosts_yaml.write_text("\n".join(role if line.startswith("  worker: ") else line for line in text) + "\n")
    before = site.started()
    site.fab("deploy")
    site.nothing_to_do("deploy")
    after = site.started()
    assert {unit for unit, start in after.items() if before[unit] != start} <= {(DEBIAN_13, "airflow@worker.service")}
    ours = [row for row in rows(site) if row["role"] != "database"]
    return {str(row["role"]): exposure(site, str(row["host"]), str(row["unit"])) for row in ours}


def writable(site: Site) -> set[str]:
    """Return where a task can write; files that it left in the host's own /tmp would be seen there."""
    site.sh(DEBIAN_13, f"rm -f {LOGS}/can-write /tmp/of-a-task /home/astro/of-a-task /data/of-a-task")
    run_to_success(site, "writes")
    found = set(site.sh(DEBIAN_13, f"cat {LOGS}/can-write").split())
    assert "/tmp" in found
    shared = site.lab.run(DEBIAN_13, "test -e /tmp/of-a-task").returncode == 0
    return found if shared else found - {"/tmp"}


@pytest.mark.parametrize(
    "settings, places, confined",
    [
        ("", set(), True),
        ("read_write_paths: [/data]", {"/data"}, True),
        ("sandbox: relaxed", {"/data", "/srv/theirs", "/home/astro", "/tmp"}, False),
        ("sandbox: off", {"/data", "/srv/theirs", "/etc/theirs", "/home/astro", "/tmp"}, False),
        ("sandbox: strict, read_write_paths: [/data, /srv/theirs]", {"/data", "/srv/theirs"}, True),
    ],
    ids=["default", "path", "relaxed", "off", "strict again"],
)
def test_a_task_writes_where_its_role_may(site: Site, settings: str, places: set[str], confined: bool) -> None:
    exposed = of_worker(site, settings)

    assert writable(site) == places
    assert (exposed.pop("worker") <= 2.0) == confined
    assert set(exposed) == {"scheduler", "dag-processor", "triggerer", "webserver"}
    assert max(exposed.values()) <= 2.0
