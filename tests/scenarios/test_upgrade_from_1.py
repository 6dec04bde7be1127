"""From Airflow 1.10 to 2 by `fab upgrade`: another Python, and a database that has to be repaired first."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lab.fleet import Lab
from tests.scenarios.conftest import described, raise_hosts, run_the_dag, write_secret
from tests.scenarios.scenario import HEAD, PYTHON_PLACE, alone

pytestmark = pytest.mark.slow

OLD, NEW, LAST = "1.10.10", "2.11.2", "3.3.2"
SCENARIO = alone("upgrade-from-1", OLD, python="3.8")
USERS = "SELECT username, password FROM ab_user ORDER BY 1"


def test_the_ids_of_users_are_repaired_and_the_python_changes(lab: Lab) -> None:
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    site.fab("deploy")
    write_secret(site.folder / "login", "of the upgrade")
    site.fab("create-user", "--name=ada", f"--password=!file {site.folder}/login")
    site.fab("airflow", "variables -s kept variable")
    run_the_dag(site)
    users, runs = site.sql(USERS), site.sql("SELECT count(*) FROM dag_run")

    refused = site.fab("upgrade", f"--to={NEW}", code=1)
    assert "does not run on Python 3.8" in refused.err, refused.text

    done = site.fab("upgrade", f"--to={NEW}", "--python=python3", "--yes")
    print(done.err)
    assert done.err.count("repaired: ids of ab_") == 2, done.text
    assert site.sql(USERS) == users and site.sql("SELECT count(*) FROM dag_run") >= runs
    site.change(f"version: {OLD}", f"version: {NEW}")
    site.change(f"python: {PYTHON_PLACE}/bin/python3.8", "python: python3")
    site.scenario = replace(site.scenario, version=NEW)
    site.nothing_to_do("deploy")
    found = json.loads(site.fab("status", "--json").out)
    assert {row["version"] for row in found if row["role"] != "database"} == {NEW}
    assert site.fab("airflow", "variables get kept").out.splitlines()[-1] == "variable"
    assert "python3.11" in site.sh(HEAD, "ls /opt/aerodrome/airflow/venv/lib")
    run_the_dag(site)


def test_from_1_to_3_in_one_command_and_back_step_by_step(lab: Lab) -> None:
    raise_hosts(lab, SCENARIO)
    site = described(lab, SCENARIO)
    site.fab("deploy")
    write_secret(site.folder / "login", "of the upgrade")
    site.fab("create-user", "--name=ada", f"--password=!file {site.folder}/login")
    site.fab("airflow", "variables -s kept variable")
    run_the_dag(site)
    users = site.sql(USERS)

    done = site.fab("upgrade", f"--to={LAST}", "--python=python3", "--yes")
    print(done.err)
    assert "step 1 of 2: Airflow 1.10.10 to 2.11.2" in done.text and "step 2 of 2: Airflow 2.11.2 to 3.3.2" in done.text
    assert site.sql(USERS) == users
    site.change(f"version: {OLD}", f"version: {LAST}")
    site.change(f"python: {PYTHON_PLACE}/bin/python3.8", "python: python3")
    site.scenario = replace(site.scenario, version=LAST)
    site.nothing_to_do("deploy")
    assert site.fab("airflow", "variables get kept").out.splitlines()[-1] == "variable"
    run_the_dag(site)

    site.fab("upgrade", "--back", "--yes")
    site.change(f"version: {LAST}", f"version: {NEW}")
    site.scenario = replace(site.scenario, version=NEW)
    site.nothing_to_do("deploy")
    site.fab("upgrade", "--back", f"--python={PYTHON_PLACE}/bin/python3.8", "--yes")
    site.change(f"version: {NEW}", f"version: {OLD}")
    site.change("python: python3", f"python: {PYTHON_PLACE}/bin/python3.8")
    site.scenario = replace(site.scenario, version=OLD)
    site.nothing_to_do("deploy")
    assert site.sql(USERS) == users
    run_the_dag(site)
