"""Journals of units."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aerodrome.blueprint.logs import journal_script
from aerodrome.fleet import ROLES
from tests.unit.make import HOSTS, ROLES_OF_FLEET, fleet, inputs

JOURNAL = "journalctl --no-pager -q -o short-iso -n 50 "


@pytest.mark.parametrize(
    "host, roles, units",
    [
        ("s1", ROLES, "-u airflow@scheduler.service -u airflow@dag-processor.service -u airflow@triggerer.service"),
        ("s1", ["triggerer", "worker"], "-u airflow@triggerer.service"),
        ("db1", ROLES, "-u 'postgresql*'"),
        ("w2", ROLES, "-u airflow@worker.service -u airflow-redis.service"),
        ("w2", ["redis"], "-u airflow-redis.service"),
        ("w2", ["worker"], "-u airflow@worker.service"),
    ],
)
def test_the_units_of_a_host(host: str, roles: list[str], units: str) -> None:
    of = fleet(roles={**ROLES_OF_FLEET, "redis": ("w2",)})
    assert journal_script(inputs(of), HOSTS[host], roles, 50, follow=False) == JOURNAL + units


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_journal_that_is_followed_ends_when_nobody_reads_it_any_more(tmp_path: Path, shell: str) -> None:
    journalctl = tmp_path / "journalctl"
    journalctl.write_text("#!/bin/sh\necho line\nexec sleep 60\n")
    journalctl.chmod(0o755)
    script = journal_script(inputs(), HOSTS["w1"], ["worker"], 50, follow=True)
    process = subprocess.Popen(
        [shell, "-c", f"exec 3<&0 </dev/null; PATH={tmp_path}:$PATH\n{script}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"line\n"
    assert process.poll() is None
    process.stdin.close()
    assert process.stdout.read() == b""  # the journal has gone too
    process.wait(10)
