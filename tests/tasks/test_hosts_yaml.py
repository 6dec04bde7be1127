"""A hosts.yaml, or a file that it names, with mistakes: reported before any host is reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.conftest import ONE, PROJECT, Fab

MISTAKES = """\
hosts:
  one: {addres: 127.0.0.1}
  two: {address: 10.0.0.2, port: many}
roles: {database: [one], scheduler: [onee], webserver: [two], worker: [two]}
airflow: {versoin: 3.3.2}
"""


@pytest.mark.parametrize("arguments", [("deploy",), ("plan", "--json"), ("airflow", "dags list")])
def test_every_mistake_of_hosts_yaml_is_reported_at_once(fab: Fab, hosts: Path, arguments: tuple[str, ...]) -> None:
    hosts.write_text(MISTAKES)
    done = fab(*arguments)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines() == [
        f"error: {hosts}:2: hosts.one.addres: unknown key; did you mean address?",
        f"{hosts}:2: hosts.one: address is missing; expected an IP address, or a name if deploy.dns is true",
        f"{hosts}:3: hosts.two.port: is text, not a whole number; expected a number from 1 to 65535",
        f"{hosts}:4: roles.scheduler: no host is named onee; did you mean one?",
        f"{hosts}:5: airflow.versoin: unknown key; did you mean version?",
    ]


def test_a_hosts_yaml_that_is_not_there(fab: Fab, hosts: Path) -> None:
    done = fab("deploy", AERODROME_HOSTS="production.yaml")
    assert done.code == 1
    assert done.err.splitlines() == [
        f"error: production.yaml: there is no file {PROJECT}/production.yaml",
        "  → set the file that describes your hosts: AERODROME_HOSTS=production.yaml fab …",
    ]


def test_a_dag_folder_that_is_not_there(fab: Fab, hosts: Path) -> None:
    hosts.write_text(ONE + "deploy: {dags: dags}\n")
    done = fab("deploy")
    assert (done.code, done.err.splitlines()[0]) == (
        1,
        f"error: deploy.dags: there is no directory {hosts.parent}/dags",
    )


@pytest.mark.parametrize(
    "key, error",
    [
        ("config_file", "airflow.config_file: there is no file {}/mine"),
        ("lock", "airflow.lock: there is no file {}/mine"),
    ],
)
def test_a_file_that_is_not_there(fab: Fab, hosts: Path, key: str, error: str) -> None:
    hosts.write_text(ONE + f"airflow: {{{key}: mine}}\n")
    done = fab("deploy")
    assert (done.code, done.err.splitlines()[0]) == (1, f"error: {error.format(hosts.parent)}")


def test_a_config_file_that_is_not_utf_8_is_no_traceback(fab: Fab, hosts: Path) -> None:
    (hosts.parent / "mine").write_bytes(b"[core]\n# caf\xe9\n")
    hosts.write_text(ONE + "airflow: {config_file: mine}\n")
    assert fab("deploy").code == 1
