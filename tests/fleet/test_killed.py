"""A deploy that is killed and run again ends in the same state as one complete run."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.fleet.conftest import Fleet
from tests.fleet.test_deploy import started_after_its_environment

# The whole state of a node, except what differs from run to run.
STATE = (
    "cat /etc/default/airflow /etc/systemd/system/airflow@.service /etc/systemd/system/airflow@worker.service.d/*; "
    "sed -n '/BEGIN aerodrome/,/END aerodrome/p' /etc/hosts; cat ~astro/.bashrc; "
    "readlink /opt/aerodrome/airflow/venv /usr/local/airflow/dags; ls /opt/aerodrome/airflow/venv/bin | sort; "
    "stat -c '%n %U:%G %a' /etc/default/airflow /usr/local/airflow ~astro /opt/aerodrome/airflow/venv/bin/airflow; "
    "systemctl is-enabled airflow@worker; systemctl is-active airflow@worker; "
    "dpkg-query -W -f '${Package} ${db:Status-Status}\\n' python3-venv python3-dev gcc sudo"
)


def test_killed_at_any_moment_and_run_again(fleet: Fleet) -> None:
    wanted = fleet.sh("worker1", STATE)
    (before,) = json.loads(fleet.fab("history", "--json", "--last=1").out)
    fleet.lab.wipe_host("worker1")
    moments = 0
    while True:
        process = fleet.start("-H", "worker1", "deploy")
        try:
            # Killed a little later each time: packages, user, venv, install, files, start.
            process.communicate(timeout=2.0 + 1.7 * moments)
            break
        except Exception:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            moments += 1
            assert moments < 20, "the deploy does not get any further"
    assert process.returncode == 0
    assert moments >= 3
    fleet.nothing_to_do("-H", "worker1", "deploy")

    assert fleet.sh("worker1", STATE) == wanted
    assert (
        fleet.sh("worker1", "ls -A /etc/default /opt/aerodrome/airflow | grep -c -E '\\.(new|[A-Za-z0-9]{6})$' || true")
        == "0\n"
    )
    assert json.loads(fleet.fab("status", "--json", "--role=worker").out)[0]["healthy"]
    # No lock is left, and the history has the outcome of each run that held it.
    assert json.loads(fleet.fab("lock.status", "--json").out) == {"state": "free"}
    # Those that were killed before they had the lock are not in it.
    found = json.loads(fleet.fab("history", "--json", f"--last={moments + 1}").out)
    runs = [run for run in found if run["run"] > before["run"]]
    assert not any(run["broken"] for run in runs)
    assert {run["outcome"] for run in runs} <= {"killed", "changed", "unchanged"}
    assert "killed" in {run["outcome"] for run in runs}


@pytest.mark.parametrize("after", [0.8, 1.6, 2.6])
def test_killed_between_a_file_and_its_restart(fleet: Fleet, after: float) -> None:
    fleet.change("\nairflow:\n", f"\nairflow:\n  environment: {{SEASON: after-{after}}}\n")
    process = fleet.start("-H", "worker1,worker2", "deploy")
    time.sleep(after)
    process.kill()
    process.communicate()

    fleet.fab("-H", "worker1,worker2", "deploy")
    fleet.nothing_to_do("-H", "worker1,worker2", "deploy")
    for host in ("worker1", "worker2"):
        assert f"SEASON=after-{after}\n" in fleet.sh(host, "cat /etc/default/airflow")
        assert started_after_its_environment(fleet, host)


@pytest.fixture(autouse=True, scope="module")
def put_back(deployed: Fleet) -> object:
    """Bring the fleet back to its own settings."""
    yield
    deployed.fab("deploy")
