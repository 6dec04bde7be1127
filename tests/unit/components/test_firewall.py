"""The firewall of a host: its complete rules, and the ports that it guards."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest

from aerodrome.components.firewall import Guard, firewall, guards
from aerodrome.components.inputs import Inputs, Settings
from aerodrome.core.resource import Seen
from aerodrome.core.step import Step
from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host, Network
from aerodrome.resources.files import File
from aerodrome.resources.firewall import LoadedTable, NoFirewall
from aerodrome.resources.packages import Packages
from aerodrome.resources.systemd import Service
from aerodrome.runbooks.deploy import stages
from tests.unit.make import HOSTS, ROLES, ROLES_OF_FLEET, fleet, inputs, parse

RULES = """\
# Written by Aerodrome from hosts.yaml (network.firewall). This table is all that is ours: others stay.
table inet aerodrome
delete table inet aerodrome
table inet aerodrome {
	chain input {
		type filter hook input priority filter; policy accept;
		iifname "lo" accept
		# for the fleet only
		tcp dport { 5432 } ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.4/31 } accept
		tcp dport { 5432 } drop
		# the web server, for the fleet and network.allow
		tcp dport { 8080 } ip saddr { 10.0.0.0/8 } accept
		tcp dport { 8080 } ip6 saddr { 2001:db8::/32 } accept
		tcp dport { 8080 } drop
	}
}
"""
MEMBERS = ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
HOSTS_YAML = """\
hosts: {one: {address: 10.0.0.1}}
roles: {database: [one], scheduler: [one], webserver: [one], worker: [one]}
"""


def given(network: Network, roles: dict[str, tuple[str, ...]] | None = None, **airflow: object) -> Inputs:
    return inputs(replace(fleet(roles, **airflow), network=network))  # type: ignore[arg-type]


def test_a_host_with_a_firewall_as_a_whole() -> None:
    of = given(Network(True, ("10.0.0.0/8", "2001:db8::/32")), {**ROLES_OF_FLEET, "webserver": ("db1",)})
    step = firewall(of, HOSTS["db1"])
    assert step.name == "network.firewall"
    packages, rules, unit, service, table = step.resources
    assert packages == Packages(apt=("nftables",), dnf=("nftables",))
    assert rules == File("/etc/aerodrome/firewall.nft", RULES)
    assert isinstance(unit, File) and unit.reload
    assert "\nExecStart=nft -f /etc/aerodrome/firewall.nft\n" in unit.content
    assert service == Service("aerodrome-firewall.service", (rules.path, unit.path))
    assert table == LoadedTable("aerodrome-firewall.service")


@pytest.mark.skipif(not shutil.which("nft"), reason="nft, which the practice fleet installs, is not on this machine")
def test_nftables_takes_the_rules() -> None:
    done = subprocess.run(["nft", "-c", "-f", "-"], input=RULES, capture_output=True, text=True, timeout=60)
    if "Operation not permitted" in done.stderr:
        pytest.skip("only root can ask nft")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("host, ports", [("db1", (5432,)), ("s1", (8794,)), ("web1", ()), ("w1", (8793,))])
def test_only_the_ports_of_its_roles_are_guarded(host: str, ports: tuple[int, ...]) -> None:
    expected = [Guard("for the fleet only", ports, MEMBERS)] if ports else []
    assert guards(given(Network(True)), HOSTS[host]) == expected


def test_redis_and_logs_of_local_tasks_and_ports_of_ones_own() -> None:
    of = given(Network(True), {**ROLES_OF_FLEET, "redis": ("s1",), "worker": ()}, executor="LocalExecutor")
    moved = replace(of, settings=Settings(config={"logging": {"trigger_log_server_port": "9000"}}))
    assert guards(moved, HOSTS["s1"])[0].ports == (6379, 8793, 9000)


def test_a_host_that_is_only_passed_through_is_no_member() -> None:
    hosts = {**HOSTS, "bastion": Host("bastion", "203.0.113.7")}
    of = inputs(replace(fleet(hosts=hosts), network=Network(True)))
    assert guards(of, HOSTS["db1"])[0].networks == MEMBERS


def test_without_it_there_is_none_and_it_is_the_last_of_the_machines_steps() -> None:
    none = Step("network.firewall", (NoFirewall("aerodrome-firewall.service", "/etc/aerodrome/firewall.nft"),))
    machines = stages(inputs(), list(HOSTS), ROLES)[0].steps
    assert {host: steps[-1] for host, steps in machines.items()} == dict.fromkeys(HOSTS, none)


def test_it_is_removed_where_it_was() -> None:
    none = NoFirewall("aerodrome-firewall.service", "/etc/aerodrome/firewall.nft")
    assert none.changes(Seen("")) == []
    (change,) = none.changes(Seen("there\n"))
    assert change.script == (
        "systemctl disable -q --now aerodrome-firewall.service\n"
        "! nft list table inet aerodrome >/dev/null 2>&1 || nft delete table inet aerodrome\n"
        "rm -f /etc/aerodrome/firewall.nft /etc/systemd/system/aerodrome-firewall.service\n"
        "systemctl daemon-reload"
    )


def test_a_table_that_somebody_flushed_is_loaded_again() -> None:
    table = LoadedTable("x.service")
    assert table.changes(Seen("loaded\n")) == []
    (change,) = table.changes(Seen(""))
    assert change.script == "systemctl restart x.service"


@pytest.mark.parametrize(
    "network, problem",
    [
        ("{allow: [10.0.0.0/8]}", "network.allow: used only by the firewall, which is off; set network.firewall: true"),
        (
            "{firewall: true, allow: [10.0.0.1/8]}",
            "network.allow: 10.0.0.1/8 has host bits set; use a network such as",
        ),
        ("{firewall: true, allow: [all]}", "network.allow: 'all' is not valid; expected a network such as 10.0.0.0/8"),
    ],
)
def test_what_does_not_fit_is_one_line(network: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(f"{HOSTS_YAML}network: {network}\n", "hosts.yaml")
    (told,) = caught.value.problems
    assert told.startswith(f"hosts.yaml:3: {problem}")


def test_names_are_no_addresses_for_a_firewall() -> None:
    text = HOSTS_YAML.replace("10.0.0.1", "one.example.com") + "deploy: {dns: true}\nnetwork: {firewall: true}\n"
    with pytest.raises(InvalidInput) as caught:
        parse(text, "hosts.yaml")
    assert "network.firewall: the address of one is a name" in caught.value.problems[0]
