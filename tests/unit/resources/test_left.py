"""Services that are left where hosts.yaml no longer has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.resources.left import Left, LeftServices
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
        (("invocation:postgresql@15-main.service", "invocation:airflow-redis.service"), ""),  # it is somebody else's
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


def test_it_is_said_and_left_alone() -> None:
    services = LeftServices((REDIS, POSTGRES))
    assert services.changes(Seen("Redis\nPostgreSQL\n")) == []
    assert services.notes(Seen("")) == []
    assert services.notes(Seen("Redis\n")) == [
        "Redis still runs here, and hosts.yaml no longer has this host in the role redis. It is left alone because of"
        " its data (tasks); when nothing needs it: systemctl disable --now airflow-redis.service"
    ]
    assert len(services.notes(Seen("Redis\nPostgreSQL\n"))) == 2
