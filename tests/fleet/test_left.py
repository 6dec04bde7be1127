"""A host that no longer has a role in hosts.yaml: its remaining units are shown, stopped and disabled."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.fleet import Lab
from tests import real
from tests.real import PROJECT, wait

HOST, LOCK = "worker3", "db1"
WORKER, WEB, FLOWER, OTHER = (
    f"{name}.service" for name in ("airflow@worker", "airflow@webserver", "airflow@flower", "other@worker")
)
# Units as an earlier deploy left them, running a program that does nothing.
LEFT = r"""
for service in airflow other; do
printf '[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n' \
  >/etc/systemd/system/$service@.service
done
systemctl daemon-reload
systemctl enable -q --now airflow@worker airflow@flower other@worker
systemctl start airflow@webserver
cd /etc/default
echo '# Written by Aerodrome from hosts.yaml' | tee airflow airflow-worker >/dev/null
echo swordfish >>airflow-worker
echo BY_HAND=1 | tee airflow.local airflow.by-hand >/dev/null
chmod 600 airflow airflow-worker airflow.local
"""
# The worker's process is like an Airflow 3 task that exceeds its time.
BUSY = r"""
mkdir -p /run/systemd/system/airflow@worker.service.d
cat >/run/systemd/system/airflow@worker.service.d/busy.conf <<'END'
[Service]
ExecStart=
ExecStart=/bin/bash -c 'exec -a "airflow worker -- 0193-abc" /bin/bash -c "trap : TERM; while :; do sleep 1; done"'
TimeoutStopSec=6
END
systemctl daemon-reload
systemctl restart airflow@worker
"""
TASK = "1 running task: 0193-abc "


@dataclass
class Left(real.Fleet):
    """One host outside the fleet, without a role."""

    @property
    def hosts_yaml(self) -> Path:
        return self.folder / "left.yaml"

    def states(self) -> dict[str, list[str]]:
        command = "systemctl is-active {0}; systemctl is-enabled {0}"
        units = (WORKER, WEB, FLOWER, OTHER)
        return {unit: self.lab.run(HOST, command.format(unit)).stdout.split() for unit in units}

    def files(self) -> list[str]:
        return self.sh(HOST, "cd /etc/default; ls -d airflow*").split()


@pytest.fixture(scope="module")
def left() -> Iterator[Left]:
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    # It keeps the fleet's lock, and is already up if other modules ran before.
    raised = [name for name in (HOST, LOCK) if name not in {host.name for host in lab.status() if host.up}]
    for name in raised:
        lab.up_host(name)
    fleet = Left(lab, PROJECT / ".lab" / lab.name, (HOST,))
    fleet.hosts_yaml.write_text(
        "ssh: {key: id_ed25519, known_hosts: known_hosts}\n"
        f"hosts: {{one: {{address: {lab.address(LOCK)}}}, {HOST}: {{address: {lab.address(HOST)}}}}}\n"
        "roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}\n"
    )
    # Other modules may have deployed to it and shut it down: its worker would start with it, and fail a little later.
    lab.wipe_host(HOST)
    booted = "systemctl is-system-running"
    wait("the host has booted", lambda: lab.run(HOST, booted).stdout.strip() in ("running", "degraded"), 90)
    lab.run(HOST, LEFT)
    try:
        yield fleet
    finally:
        lab.remove(raised)


def test_it_is_shown_and_ended_and_nothing_else_is(left: Left) -> None:
    before = left.states()
    assert before == {
        WORKER: ["active", "enabled"],
        WEB: ["active", "disabled"],
        FLOWER: ["active", "enabled"],
        OTHER: ["active", "enabled"],
    }
    plan = left.fab("-H", HOST, "plan", code=2)
    assert f"stop and disable {WORKER} (no longer in hosts.yaml)" in plan.out
    assert f"stop {WEB} (no longer in hosts.yaml)" in plan.out
    assert "flower" not in plan.out and "other" not in plan.out

    rows = json.loads(left.fab("-H", HOST, "status", "--json", code=1).out)
    assert [(row["host"], row["unit"], row["active"], row["healthy"]) for row in rows] == [
        (HOST, WEB, "active", False),
        (HOST, WORKER, "active", False),
    ]

    assert "airflow.by-hand stay here, although this host no longer has an Airflow role" in plan.err
    # A unit that Aerodrome does not manage reads them too.
    assert "/etc/default/airflow, /etc/default/airflow-worker stay here, including secrets" in plan.err
    assert "still read by airflow@flower.service" in plan.err
    assert "own /etc/default/airflow.by-hand root:root 0600" in plan.out and "remove /etc" not in plan.out

    left.fab("-H", HOST, "stop", "--role=webserver")
    journal = left.lab.run(HOST, f"journalctl -q -b -u {WORKER} -n 20").stdout
    assert left.states() == {**before, WEB: ["inactive", "disabled"]}, journal

    done = left.fab("-H", HOST, "deploy")
    journal = left.lab.run(HOST, f"journalctl -q -b -u {WORKER} -n 20").stdout
    assert f"stop and disable {WORKER}" in done.err, done.err + journal
    assert left.states() == {**before, WEB: ["inactive", "disabled"], WORKER: ["inactive", "disabled"]}, journal
    left.nothing_to_do("-H", HOST, "deploy")
    left.nothing_to_do("-H", HOST, "stop")
    assert left.files() == ["airflow", "airflow-worker", "airflow.by-hand", "airflow.local"]
    assert left.sh(HOST, "stat -c '%U:%G %a' /etc/default/airflow.by-hand").strip() == "root:root 600"


def test_files_with_secrets_go_once_nothing_reads_them_and_those_written_by_hand_stay(left: Left) -> None:
    left.sh(HOST, "systemctl disable -q --now airflow@flower; systemctl enable -q --now airflow@worker")
    remove = "remove /etc/default/airflow, /etc/default/airflow-worker (this host has no role of Airflow any more)"
    assert remove in left.fab("-H", HOST, "plan", code=2).out  # its worker stops earlier in the same run

    done = left.fab("-H", HOST, "deploy")

    assert remove in done.err and done.err.index(f"stop and disable {WORKER}") < done.err.index(remove)
    assert left.files() == ["airflow.by-hand", "airflow.local"]
    again = left.fab("-H", HOST, "deploy").err.splitlines()
    assert again[-1] == "no changes"
    assert "/etc/default/airflow.local, /etc/default/airflow.by-hand stay here" in again[-2]


def test_what_a_stop_killed_whose_controller_was_gone_is_reported_by_the_next_run(left: Left) -> None:
    left.sh(HOST, BUSY)
    process = left.start("-H", HOST, "stop", "--role=worker")
    assert process.stderr is not None
    assert any(f"waiting for {TASK}" in line for line in process.stderr)
    process.kill()
    process.communicate()

    shown = left.fab("-H", HOST, "plan", code=2).out
    assert f"retire.workers: take note: a stop of {WORKER} killed {TASK}" in shown
    assert left.states()[WORKER][0] == "failed"
    done = left.fab("-H", HOST, "stop", code=1)
    assert f"{HOST}: roles.worker: running tasks were killed: {TASK}" in done.err
    left.nothing_to_do("-H", HOST, "stop")
