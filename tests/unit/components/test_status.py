"""The questions about a fleet's health, and how the answers are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from aerodrome.components.health import Health
from aerodrome.components.status import status
from aerodrome.core.check import Finding, Watch
from aerodrome.fleet.model import Database
from aerodrome.secrets import Secret
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

DOWN = "is down"
Roles = dict[str, tuple[str, ...]] | None


class Hosts:
    """Hosts that answer each check from `answers`, by the check's class and the host."""

    def __init__(self, answers: Mapping[tuple[str, str], Sequence[Finding]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str]] = []

    def __call__(self, checks: Mapping[str, Sequence[Watch]]) -> dict[str, list[Finding]]:
        return {host: [each for check in of for each in self._answer(host, check)] for host, of in checks.items()}

    def _answer(self, host: str, check: Watch) -> Sequence[Finding]:
        question = (type(check).__name__, host)
        self.asked.append(question)
        return self.answers[question] if question in self.answers else check.unknown(DOWN)


def rows(hosts: Hosts, names: Sequence[str], roles: Sequence[str], of: Roles = None) -> list[tuple[str, str, str, str]]:
    given = inputs(fleet(of), redis_password=Secret("x"))
    found, _ = status(given, [given.fleet.hosts[name] for name in names], roles, hosts)
    return [(row.host, row.role, row.verdict, row.detail) for row in found]


def test_a_host_that_is_down_has_a_row_for_each_of_its_roles_that_is_asked_for() -> None:
    hosts = Hosts({})
    assert rows(hosts, ["db1", "s1"], ["database", "scheduler", "triggerer", "worker"]) == [
        ("db1", "database", "failed", DOWN),
        ("s1", "scheduler", "failed", DOWN),
        ("s1", "triggerer", "failed", DOWN),
    ]


def test_redis_is_asked_beside_the_other_roles_of_its_host() -> None:
    hosts = Hosts({})
    of = {**ROLES_OF_FLEET, "redis": ("w2",)}
    rows(hosts, ["w1", "w2"], ["redis", "worker"], of=of)
    assert hosts.asked[:3] == [("RoleHealth", "w1"), ("RedisHealth", "w2"), ("RoleHealth", "w2")]
    hosts.asked.clear()
    rows(hosts, ["w2"], ["worker"], of=of)
    assert [check for check, _ in hosts.asked] == ["RoleHealth", "Leftovers"]


def test_an_error_that_is_no_role_s_is_a_row_too() -> None:
    hosts = Hosts({("RoleHealth", "w1"): [Finding("?", "failed", "unexpected")]})
    assert rows(hosts, ["w1"], ["worker"]) == [("w1", "?", "failed", "unexpected")]


WEB = Health("webserver", "ok", "metadatabase healthy", host="web1")
WORKER = Health("worker", "ok", "fine", reports="w1", host="w1")


def test_a_web_server_that_cannot_read_task_logs_is_not_healthy() -> None:
    answers: dict[tuple[str, str], Sequence[Finding]] = {
        ("RoleHealth", "web1"): [WEB],
        ("RoleHealth", "w1"): [WORKER],
        ("TaskLogs", "web1"): [Finding("webserver", "failed", why) for why in ("this", "that")],
    }
    assert rows(Hosts(answers), ["web1", "w1"], ["webserver", "worker"]) == [
        ("web1", "webserver", "failed", "metadatabase healthy; this; that"),
        ("w1", "worker", "ok", "fine"),
    ]
    answers["TaskLogs", "web1"] = []
    assert rows(Hosts(answers), ["web1", "w1"], ["webserver", "worker"])[0][2:] == ("ok", "metadatabase healthy")


def test_task_logs_are_not_tried_without_a_healthy_web_server_or_log_server() -> None:
    for web, worker in [(replace(WEB, verdict="waiting"), WORKER), (WEB, replace(WORKER, verdict="failed"))]:
        hosts = Hosts({("RoleHealth", "web1"): [web], ("RoleHealth", "w1"): [worker]})
        rows(hosts, ["web1", "w1"], ["webserver", "worker"])
        assert "TaskLogs" not in {check for check, _ in hosts.asked}


def test_what_should_no_longer_run_has_a_row() -> None:
    leftover = Health("webserver", "failed", "not in hosts.yaml", host="w1")
    hosts = Hosts({("RoleHealth", "w1"): [WORKER], ("Leftovers", "w1"): [leftover]})
    assert rows(hosts, ["w1"], ["webserver", "worker"]) == [
        ("w1", "worker", "ok", "fine"),
        ("w1", "webserver", "failed", "not in hosts.yaml"),
    ]
    assert set(HOSTS) >= {host for _, host in hosts.asked}


def test_what_an_upgrade_keeps_is_noted_by_the_host_of_our_own_database() -> None:
    given = inputs(fleet())
    answers: dict[tuple[str, str], Sequence[Finding]] = {
        ("KeptUpgrade", "db1"): [Finding("x", "warning", "still kept")],
        ("Leftovers", "db1"): [],
        ("Leftovers", "w1"): [],
    }
    found, notes = status(given, [HOSTS["db1"], HOSTS["w1"]], ["worker"], Hosts(answers))
    assert notes == ["db1: still kept"] and [row.role for row in found] == ["worker"]
    hosts = Hosts({})
    elsewhere = inputs(fleet(database=Database(managed=False, host="192.0.2.1")))
    status(elsewhere, list(HOSTS.values()), ["worker"], hosts)
    assert "KeptUpgrade" not in {check for check, _ in hosts.asked}
