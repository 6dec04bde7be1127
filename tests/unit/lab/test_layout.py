import pytest

from lab.errors import LabError
from lab.layout import FLEET, HOSTS, SUBNETS, Layout, host_spec


def test_the_fleet_has_every_way_of_logging_in() -> None:
    logins = {spec.name: (spec.number, spec.user, spec.asks_password, spec.via) for spec in FLEET}
    assert logins == {
        "db1": (11, "root", False, None),
        "sched1": (12, "ops", False, None),
        "web1": (13, "ops", True, None),
        "worker1": (14, "root", False, None),
        "worker2": (15, "ops", False, "sched1"),
    }


def test_each_lab_has_names_and_addresses_of_its_own() -> None:
    layout = Layout("test")
    spec = host_spec("worker3")
    assert layout.bridge == "aero-test"
    assert layout.table == "aerodrome_test"
    assert layout.subnet == "10.213.78.0/24"
    assert layout.gateway == "10.213.78.1"
    assert layout.address(spec) == "10.213.78.16"
    assert layout.machine(spec) == "test-16"
    assert str(layout.host(spec)) == "/var/lib/aerodrome-lab/test/hosts/worker3"


def test_interface_names_fit_into_the_kernels_fifteen_characters() -> None:
    layouts = [Layout(name) for name in SUBNETS]
    names = [layout.port(spec) for layout in layouts for spec in HOSTS.values()]
    names += [layout.bridge for layout in layouts]
    assert max(len(name) for name in names) <= 15
    assert len(set(names)) == len(names)


def test_a_lab_or_host_that_nobody_knows_is_refused_with_the_known_ones() -> None:
    with pytest.raises(LabError, match="there is no lab mine") as error:
        Layout("mine")
    assert error.value.hint.startswith("set AERODROME_LAB to one of: demo, test, bench, scenarios, dev1, ")
    with pytest.raises(LabError, match="there is no host db9 in the lab"):
        host_spec("db9")
