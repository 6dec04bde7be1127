"""What the whole fleet exposes: units, open ports, and who the firewall lets in to the web server."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress

from tests.fleet.conftest import HOSTS, Fleet
from tests.real import wait


def test_every_unit_is_exposed_little(fleet: Fleet) -> None:
    units = "systemctl list-units --plain --no-legend 'airflow@*' 'postgresql@*' | cut -d' ' -f1"
    for host in HOSTS:
        for unit in fleet.sh(host, units).split():
            told = fleet.sh(host, f"systemd-analyze security --no-pager {unit} | tail -n 1")
            exposure = float(re.findall(r": ([\d.]+) ", told)[0])
            assert exposure <= (3.0 if unit.startswith("postgresql") else 2.0), (host, told)


def test_services_listen_on_their_own_address(fleet: Fleet) -> None:
    rows = json.loads(fleet.fab("status", "--ports", "--json").out)
    ours = {(row["host"], row["port"]): row["address"] for row in rows if row["address"] != "127.0.0.1"}
    assert ours["db1", 5432] == fleet.lab.address("db1")
    assert ours["web1", 8080] == fleet.lab.address("web1")
    assert {host for host, port in ours if port == 8793} == {"worker1", "worker2"}
    assert {host for host, port in ours if port == 22} == set(HOSTS)


def reached(fleet: Fleet, host: str, port: int) -> tuple[bool, bool]:
    """Tell whether worker1, and this machine, which is not of the fleet, may connect to a port."""
    here = False
    with suppress(TimeoutError), socket.create_connection((fleet.lab.address(host), port), timeout=3):
        here = True
    knock = f"timeout 3 bash -c '</dev/tcp/{fleet.lab.address(host)}/{port}'"
    return fleet.lab.run("worker1", knock).returncode == 0, here


def test_the_firewall_lets_the_fleet_work_and_keeps_others_out(fleet: Fleet) -> None:
    fleet.change("deploy:\n", "network: {firewall: true, allow: [192.0.2.0/24]}\n\ndeploy:\n")
    guarded = (("db1", 5432), ("worker2", 8793), ("web1", 8080))
    try:
        fleet.fab("deploy")
        fleet.nothing_to_do("deploy")
        assert [reached(fleet, *each) for each in guarded] == [(True, False)] * 3
        wait("healthy behind the firewall", lambda: fleet.start("status").wait() == 0)

        fleet.change("192.0.2.0/24", f"192.0.2.0/24, {fleet.lab.layout.gateway}")
        fleet.fab("deploy")
        assert reached(fleet, "web1", 8080) == (True, True)
        assert reached(fleet, "db1", 5432) == (True, False)
    finally:
        text = fleet.hosts_yaml.read_text()
        fleet.hosts_yaml.write_text(re.sub(r"network: \{.*\}\n\n", "", text))
        fleet.fab("deploy")
    assert [reached(fleet, *each) for each in guarded] == [(True, True)] * 3
