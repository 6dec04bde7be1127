"""Services that are left on hosts where hosts.yaml no longer has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.left import KeptFiles, Left, LeftServices
from aerodrome.core.check import Finding
from aerodrome.resources.retired import RetiredFiles
from tests.unit.make import Shell

REDIS = Left("Redis", "redis", ("/etc/ours", "/etc/or-this"), "airflow-redis.service", "airflow-redis.service", "tasks")
POSTGRES = Left("PostgreSQL", "database", ("/etc/dropin",), "postgresql*", "postgresql", "everything")


def test_the_probe_as_a_whole() -> None:
    assert LeftServices((REDIS, POSTGRES)).probe() == (
        "{ [ -e /etc/ours ] || [ -e /etc/or-this ]; } && "
        "for link in /run/systemd/units/invocation:airflow-redis.service; do "
        '[ ! -h "$link" ] || { echo Redis; break; }; done\n'
        "{ [ -e /etc/dropin ]; } && for link in /run/systemd/units/invocation:postgresql*; do "
        '[ ! -h "$link" ] || { echo PostgreSQL; break; }; done'
    )


@pytest.mark.parametrize(
    "there, found",
    [
        ((), ""),
        (("dropin",), ""),
        (("invocation:postgresql@15-main.service", "invocation:airflow-redis.service"), ""),  # not one of ours
        (("dropin", "invocation:postgresql@15-main.service", "invocation:postgresql.service"), "PostgreSQL\n"),
        (("or-this", "invocation:airflow-redis.service"), "Redis\n"),
    ],
)
def test_what_is_ours_and_runs_is_found(sh: Shell, tmp_path: Path, there: tuple[str, ...], found: str) -> None:
    for name in there:
        (tmp_path / name).symlink_to("/")
    probe = LeftServices((REDIS, POSTGRES)).probe()
    probe = probe.replace("/run/systemd/units", str(tmp_path)).replace("/etc", str(tmp_path))
    assert sh(probe).stdout.decode() == found


def test_it_is_reported_and_left_alone() -> None:
    services = LeftServices((REDIS, POSTGRES))
    assert services.judge("") == []
    assert services.judge("Redis\n") == [
        Finding(
            "Redis",
            "warning",
            "Redis still runs here, and hosts.yaml no longer has this host in the role redis. It is left alone because"
            " of its data (tasks); when nothing needs it: systemctl disable --now airflow-redis.service",
        )
    ]
    assert len(services.judge("Redis\nPostgreSQL\n")) == 2


def test_files_that_stay_on_a_host_without_roles_are_reported() -> None:
    file, local, worker = "/etc/default/airflow", "/etc/default/airflow.local", "airflow@worker.service"
    check = KeptFiles(RetiredFiles("airflow", (file, local), (worker,)))
    assert check.probe() == check.files.probe()

    def notes(answer: str) -> list[str]:
        return [f"{finding.verdict}: {finding.detail}" for finding in check.judge(answer)]

    by_hand = (
        f"warning: {local} stays here, although this host no longer has an Airflow role: written by hand, possibly "
        "with secrets. Remove it if nothing needs it"
    )
    assert notes(f"theirs {local}\ntheirs /etc/passwd\n") == [by_hand]
    assert notes(f"unit {worker}\nours {file}\n") == notes("") == []
    assert notes(f"unit airflow@flower.service\nours {file}\ntheirs {local}\n") == [
        by_hand,
        f"warning: {file} stays here, including secrets, although this host no longer has an Airflow role: "
        "still read by airflow@flower.service",
    ]
