"""Roles and hosts of a fleet."""

from __future__ import annotations

from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet


def names(hosts) -> list[str]:  # type: ignore[no-untyped-def]
    return [host.name for host in hosts]


def test_hosts_of_a_role_come_as_the_role_lists_them() -> None:
    assert names(fleet(roles={**ROLES_OF_FLEET, "scheduler": ("w1", "s1")}).with_role("scheduler")) == ["w1", "s1"]


def test_roles_of_a_host_come_in_the_order_of_a_deploy() -> None:
    assert fleet().roles_of(HOSTS["s1"]) == ["scheduler", "dag-processor", "triggerer"]
    assert fleet().roles_of(HOSTS["db1"]) == ["database"]


def test_nodes_are_the_hosts_that_run_airflow() -> None:
    assert names(fleet().nodes()) == ["s1", "web1", "w1", "w2"]
    assert "db1" in names(fleet(roles={**ROLES_OF_FLEET, "worker": ("db1",)}).nodes())


def test_the_lock_is_kept_on_the_database_host_or_else_the_first_schedulers() -> None:
    assert fleet().lock_host.name == "db1"
    assert fleet(roles={**ROLES_OF_FLEET, "database": (), "scheduler": ("w1", "s1")}).lock_host.name == "w1"
