"""Which hosts.yaml is read, and what its paths are relative to."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.errors import InvalidInput
from tests.unit.controller.conftest import HOSTS, fleet
from tests.unit.make import load

pytestmark = pytest.mark.usefixtures("folder")


def test_load_takes_hosts_yaml_of_the_current_folder(folder: Path) -> None:
    got = fleet(folder, "ssh: {known_hosts: ~/known}\nairflow: {lock: a.lock}\ndeploy: {dags: ~/dags}\n")
    assert fleet(folder, "airflow: {constraints: ~/c.txt}").airflow.constraints == "/home/me/c.txt"
    assert got.source == "hosts.yaml"
    assert [(host.address, host.key) for host in got.hosts.values()] == [
        ("10.0.0.1", "/home/me/.ssh/db1"),
        ("10.0.0.2", None),
        ("10.0.0.3", f"{folder}/keys/w1"),
    ]
    assert (got.ssh.known_hosts, got.airflow.lock) == ("/home/me/known", f"{folder}/a.lock")
    assert got.deploy.dags == "/home/me/dags"


def test_load_prefers_the_path_given_then_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("hosts", "production", "other"):
        (folder / f"{name}.yaml").write_text(HOSTS)
    monkeypatch.setenv("AERODROME_HOSTS", "production.yaml")
    assert load().source == "production.yaml"
    assert load("other.yaml").source == "other.yaml"
    monkeypatch.setenv("AERODROME_HOSTS", "")
    assert load().source == "hosts.yaml"


def test_load_begins_paths_and_commands_at_the_folder_of_the_file(folder: Path) -> None:
    (folder / "fleets").mkdir()
    (folder / "fleets" / "address").write_text("10.0.0.9\n")
    text = HOSTS.replace("!env S1", '!command "cat address"')
    (folder / "fleets" / "hosts.yaml").write_text(text)
    got = load("fleets/hosts.yaml")
    assert got.hosts["s1"].address == "10.0.0.9"
    assert got.hosts["w1"].key == f"{folder}/fleets/keys/w1"


def test_load_says_every_mistake_with_those_of_references(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S1")
    with pytest.raises(InvalidInput) as caught:
        fleet(folder, "bogus: 1")
    assert caught.value.problems == [
        "hosts.yaml:4: hosts.s1.address: !env S1: the variable is not set",
        "hosts.yaml:6: bogus: unknown key; known: hosts, roles, ssh, airflow, database, broker, network, deploy, "
        "backup",
    ]


def test_load_says_which_file_is_not_there(folder: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        load()
    assert caught.value.message == f"hosts.yaml: there is no file {folder}/hosts.yaml"
    assert "AERODROME_HOSTS=" in caught.value.hint


def test_load_says_why_a_file_cannot_be_read(folder: Path) -> None:
    (folder / "hosts.yaml").mkdir()
    with pytest.raises(InvalidInput, match="^hosts.yaml: hosts.yaml cannot be read: Is a directory$"):
        load()
    (folder / "latin.yaml").write_bytes(b"hosts:\n  # caf\xe9\n")
    (folder / "wide.yaml").write_bytes("hosts:\n".encode("utf-16"))
    (folder / "endless").write_bytes(b"#" * (17 << 20))
    for name, told in {
        "latin.yaml": ":2: byte 8 of the line (0xE9) is not UTF-8 text: save it as UTF-8",
        "wide.yaml": " is UTF-16: save it as UTF-8",
        "endless": " is larger than 16 MB",
    }.items():
        with pytest.raises(InvalidInput) as caught:
            load(name)
        assert caught.value.message == f"{name}: {name}{told}"


def test_a_hosts_file_of_windows_may_begin_with_its_mark(folder: Path) -> None:
    (folder / "hosts.yaml").write_bytes(b"\xef\xbb\xbf" + HOSTS.encode())
    assert "db1" in load().hosts


def test_hosts_yaml_is_found_beside_the_fabfile_from_a_folder_below(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "fabfile.py").touch()
    below = folder / "docs" / "deep"
    below.mkdir(parents=True)
    fleet(folder)
    monkeypatch.chdir(below)
    assert load().source == "../../hosts.yaml"
    (below.parent / "fabfile.py").touch()  # another project's: its hosts are not ours
    with pytest.raises(InvalidInput, match=r"^hosts.yaml: there is no file"):
        load()


def test_a_home_folder_of_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AERODROME_HOSTS", "~nosuch/x")
    with pytest.raises(InvalidInput, match=r"^AERODROME_HOSTS: ~nosuch: this machine has no such user$"):
        load()
    monkeypatch.delenv("AERODROME_HOSTS")
    with pytest.raises(InvalidInput, match=r"^hosts.yaml: deploy.dags: ~nosuch: this machine"):
        fleet(folder, "deploy: {dags: ~nosuch/dags}\n")
