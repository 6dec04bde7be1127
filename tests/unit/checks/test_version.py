"""Airflow's version on a host, and changes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.version import Version
from aerodrome.core.check import Finding
from aerodrome.errors import AerodromeError
from aerodrome.resources.version import Installation
from tests.unit.make import Shell

INSTALLATION = Installation(("/opt/venv", "/home/venv"), "3.3.2")
VERSION = Version(INSTALLATION, "echo asked")


def test_the_probe_as_a_whole() -> None:
    assert VERSION.probe() == (
        'found=; for venv in /opt/venv /home/venv; do [ ! -e "$venv/bin/python" ] || break; done\n'
        'for place in "$venv"/lib/python3*/site-packages/apache_airflow-*.dist-info; do\n'
        '[ ! -d "$place" ] || { found=${place##*/apache_airflow-}; found=${found%.dist-info}; }; done\n'
        "case $found in '' | 3.3.2 | 3.3.2[!0-9]*) ;; *) printf 'found %s\\n' \"$found\"\necho asked\n;; esac"
    )


def environment(folder: Path, version: str) -> None:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").touch()
    for name in (f"apache_airflow-{version}", "apache_airflow_core-9.9.9", "apache_airflow_providers_fab-3.9.0"):
        (folder / f"lib/python3.11/site-packages/{name}.dist-info").mkdir(parents=True)


@pytest.mark.parametrize(
    "old, new, printed",
    [
        (None, None, ""),
        ("2.11.2", None, "found 2.11.2\nasked\n"),
        ("2.11.2", "3.3.2", ""),
        ("3.3.2", "2.11.2", "found 2.11.2\nasked\n"),
        ("3.3.20", None, "found 3.3.20\nasked\n"),
        ("3.3.2.post1", None, ""),
        ("3.3.2+local.1", None, ""),
    ],
)
def test_what_is_in_use_is_seen_and_the_database_asked_only_where_it_is_another(
    sh: Shell, tmp_path: Path, old: str | None, new: str | None, printed: str
) -> None:
    for name, version in (("old", old), ("new", new)):
        if version:
            environment(tmp_path / name, version)
    installation = Installation((f"{tmp_path}/new", f"{tmp_path}/old"), "3.3.2")
    done = sh(Version(installation, "echo asked").probe())
    assert (done.stdout.decode(), done.returncode) == (printed, 0)


@pytest.mark.parametrize("text", ["", "\n", *(f"found 2.11.2\n{word}\n" for word in ("empty", "elsewhere", "unknown"))])
def test_a_version_that_no_database_is_at_may_change(text: str) -> None:
    assert VERSION.judge(text) == []


def refused(text: str, accepted: bool = False, wanted: str = "3.3.2") -> Finding:
    (finding,) = Version(Installation(("/opt/venv",), wanted), "", accepted).judge(text)
    assert (finding.subject, finding.verdict) == (f"version {wanted}", "refused")
    return finding


def test_a_version_that_the_database_is_at_may_not_change_under_running_tasks() -> None:
    finding = refused("found 2.11.2\nhere\n")
    assert finding.detail == (
        "Airflow 2.11.2 is in use here, and the metadata database is at its version: a change to 3.3.2"
        " would fail running tasks, or run them twice"
    )
    assert "fab deploy --accept-downtime" in finding.hint


@pytest.mark.parametrize("answer", ["", "OperationalError: connection refused"])
def test_a_database_that_cannot_be_asked_may_be_at_it(answer: str) -> None:
    finding = refused(f"found 2.11.2\n{answer}\n")
    assert finding.detail.endswith(f"would fail running tasks): {answer or 'no answer'}")


@pytest.mark.parametrize("answer", ["here", "OperationalError: connection refused"])
def test_with_downtime_it_may(answer: str) -> None:
    assert Version(INSTALLATION, "", accepted=True).judge(f"found 2.11.2\n{answer}\n") == []


@pytest.mark.parametrize("accepted", [False, True])
def test_there_is_no_way_back_by_a_deploy(accepted: bool) -> None:
    finding = refused("found 3.3.2\nhere\n", accepted, "2.11.2")
    assert finding.detail == (
        "the fleet runs Airflow 3.3.2, which has migrated the metadata database; 2.11.2 cannot use it"
    )


def test_an_older_patch_release_is_no_way_back_either() -> None:
    finding = refused("found 3.3.2\nhere\n", wanted="3.3.1")
    assert finding.detail == "the fleet runs Airflow 3.3.2, and 3.3.1 is older"
    assert finding.hint == "set airflow.version: 3.3.2; to go back after an upgrade: fab upgrade --back"
    assert "--to=3.3.2" in refused("found 3.3.1\nhere\n").hint


def test_a_name_that_is_no_version_is_refused() -> None:
    with pytest.raises(AerodromeError, match="cannot read the name"):
        refused("found \x1b[2J\nhere\n")
