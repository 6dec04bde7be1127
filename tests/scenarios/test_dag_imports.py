"""Every DAG is imported by the Airflow in use and by one that is staged, on a real host, although one is hostile."""

from __future__ import annotations

import shutil

import pytest

from aerodrome.checks.dag_imports import DagsImported
from aerodrome.components import dag_imports as component
from aerodrome.components.dag_imports import dag_imports, imports_found
from aerodrome.components.node import node
from aerodrome.components.registry import components
from aerodrome.controller.hosts_file import load
from aerodrome.controller.keyring import Vault
from aerodrome.core.resource import Change, Seen
from aerodrome.core.runbook import Runbook
from aerodrome.core.stage import Stage
from aerodrome.core.step import Step
from aerodrome.engine.perform import perform
from aerodrome.errors import FleetError
from aerodrome.resources.python import Installed, VirtualEnvironment
from lab.fleet import Lab
from tasks.session import Session
from tests.scenarios.conftest import DAGS, Site, described, raise_hosts
from tests.scenarios.scenario import HEAD, alone

pytestmark = pytest.mark.slow

OLD, NEW = "2.11.2", "3.3.2"
IMPORTED = DAGS.with_name("imported_dags")
WHERE_SPIES_WRITE = "/tmp /var/tmp /home/astro /usr/local/airflow/logs /usr/local/airflow/dags /dev/shm"


@pytest.fixture(scope="module")
def site(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Site:
    scenario = alone("dag-imports", OLD)
    raise_hosts(lab, scenario)
    site = described(lab, scenario)
    folder = tmp_path_factory.mktemp("dag-imports") / "dags"
    shutil.copytree(IMPORTED, folder)
    site.change(f"dags: {DAGS}", f"dags: {folder}")
    site.change("  web_workers: 1\n", "  web_workers: 1\n  environment: {TEAM: data, API_TOKEN: hush}\n")
    site.fab("deploy")
    return site


def begun(site: Site, version: str) -> Session:
    """Return a run over the fleet as it would be with a version of Airflow."""
    path = site.folder / f"hosts-{version}.yaml"
    path.write_text(site.hosts_yaml.read_text().replace(f"version: {OLD}", f"version: {version}"))
    shutil.copy(site.folder / "secrets.yaml", site.folder / f"hosts-{version}.secrets.yaml")
    fleet = load(components().values(), str(path))
    return Session(fleet, list(fleet.hosts.values()), Vault(fleet))


class Beside(Installed):
    """The packages in the virtual environment, which is not put in use."""

    def changes(self, seen: Seen) -> list[Change]:
        return [change for change in super().changes(seen) if not change.summary.startswith("link ")]


def stage(site: Site, new: Session) -> None:
    """Install the new version beside the one in use."""
    found = [each for step in node(new.inputs, new.hosts[0]) for each in step.resources]
    (made,) = [each for each in found if isinstance(each, VirtualEnvironment)]
    beside = Beside(made.place, made.python, made.requirements, made.user, made.unit)
    perform(new.run, Runbook("stage", (Stage("stage", {HEAD: [Step("stage", (made, beside))]}, {}),)))
    site.sh(HEAD, f"cd /opt/aerodrome/airflow; set -- venvs/{NEW}-py*/; ln -sfn $PWD/${{1%/}} next")


def imported(site: Site, allow: bool = False) -> tuple[DagsImported, str]:
    """Import all DAGs; return what was found, and why that stops an upgrade."""
    old, new = begun(site, OLD), begun(site, NEW)
    host, run, why = old.hosts[0], old.recorder.run, ""
    step = dag_imports(old.inputs, host, new.inputs, run, allow)
    try:
        perform(old.run, Runbook("upgrade", (Stage("dags", {HEAD: [step]}, {}),)))
    except FleetError as error:
        (failure,) = error.failures
        why = f"{failure.message}\n{failure.detail}\n{failure.hint}"
    return imports_found(old.inputs, host, new.inputs, run, old.run.look), why


def test_new_errors_are_found_and_hostile_dags_are_held(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component, "FILE_SECONDS", 10)
    stage(site, begun(site, NEW))
    site.sh(HEAD, f"for each in {WHERE_SPIES_WRITE}; do rm -f $each/of-a-spy; done")
    before = site.started()

    found, why = imported(site)

    print(found, why)
    assert why.splitlines()[:2] == [
        f"1 of 4 DAG files can be imported by Airflow {OLD}, but not by Airflow {NEW}",
        "only_in_2.py: ModuleNotFoundError: No module named 'airflow.operators.bash_operator'",
    ]
    assert "--allow-import-errors" in why
    assert (found.verdict, found.before.dags, found.after.dags) == ("failed", 2, 1)
    assert dict(found.old) == {
        "loops.py": "does not finish within 10 s",
        "spies.py": "RuntimeError: saw /dev/shm /tmp /var/tmp\\x1b[31m",
    }
    site.sh(HEAD, f"for each in {WHERE_SPIES_WRITE}; do [ ! -e $each/of-a-spy ] || exit 1; done")
    left = f"pgrep -u astro -f '[v]envs/{NEW}' || :; systemctl list-units --plain --no-legend 'run-u*.service'"
    assert site.sh(HEAD, left) == ""
    assert site.started() == before

    found, why = imported(site, allow=True)
    assert (found.verdict, why) == ("failed", "")
