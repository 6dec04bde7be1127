"""Directories and units that belong to the system."""

from __future__ import annotations

import pytest

from tests.unit.fleet.hosts_yaml import SMALL, fleet, problems


@pytest.mark.parametrize(
    "home, problem",
    [
        ("/", "is shared"), ("/opt", "is shared"), ("/home/", "is shared"), ("/var/lib", "is shared"),
        ("/usr", "is shared"), ("/etc/airflow", "belongs to the system"), ("/usr/bin", "in /usr/bin;"),
        ("/usr/local/bin", "in /usr/local/bin;"), ("/lib64/x", "in /lib64;"), ("/run/x", "in /run;"),
        ("/proc/1", "in /proc;"), ("/root/airflow", "in /root;"), ("/tmp/airflow", "in /tmp;"),
        ("/var/lib/postgresql/15", "in /var/lib/postgresql;"), ("/opt/aerodrome", "in /opt/aerodrome;"),
        ("/usr/local/airflow", ""), ("/usr/localx", ""), ("/opt/airflow", ""), ("/home/astro/airflow", ""),
        ("/srv/airflow", ""), ("/var/lib/airflow", ""), ("/data", ""), ("/etcetera", ""), ("/airflow/etc", ""),
    ],
)  # fmt: skip
def test_homes_that_belong_to_the_system(home: str, problem: str) -> None:
    if problem:
        (told,) = problems(SMALL + f"airflow: {{home: {home}}}")
        assert problem in told or "is not valid" in told
    else:
        assert fleet(SMALL + f"airflow: {{home: {home}}}").airflow.home == home


SYSTEM_UNITS = [
    "ssh",
    "sshd",
    "getty",
    "serial-getty",
    "postgresql",
    "postgresql-15",
    "systemd-x",
    "user",
    "dbus",
    "cron",
]


@pytest.mark.parametrize("name", [*SYSTEM_UNITS, "redis-server", "nginx"])
def test_units_that_belong_to_the_system(name: str) -> None:
    (told,) = problems(SMALL + f"airflow: {{service: {name}}}")
    assert told.startswith(f"hosts.yaml:6: airflow.service: {name} is the name of a system service; choose another")


@pytest.mark.parametrize("name", ["airflow", "astronomer-certified", "data-team", "user-events", "a2", "sshd2"])
def test_units_that_do_not(name: str) -> None:
    assert fleet(SMALL + f"airflow: {{service: {name}}}").airflow.service == name
