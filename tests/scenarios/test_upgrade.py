"""Airflow's version changes by `fab upgrade`: nothing is lost, and a failure leads back to what was before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts
from tests.scenarios.scenario import DEBIAN_13, HEAD, WORKER, apart

pytestmark = pytest.mark.slow

OLD, NEW = "2.11.2", "3.3.2"
SCENARIO = apart("upgrade", OLD, {"worker": (WORKER, DEBIAN_13)})


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    """A running fleet of the old version: the head and two workers."""
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    folder = site.folder / "upgraded-dags"
    shutil.copytree(DAGS, folder, dirs_exist_ok=True)
    for name in ("sleeps.py", "upgraded.py"):
        shutil.copy(DAGS.with_name("more_dags") / name, folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.fab("deploy")
    return site


def test_nothing(site: Site) -> None:
    assert HEAD
