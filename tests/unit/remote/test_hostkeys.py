"""known_hosts: keys that ssh-keygen made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from aerodrome.errors import InvalidInput
from aerodrome.fleet.model import Host
from aerodrome.remote.hostkeys import add_host_key, fingerprint, known_name, load_host_keys

# ssh-keygen -t ed25519; its fingerprint by ssh-keygen -l.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAICbeFqo1+HcY9JbMiQc20HFS1LTsIPPIJyjG7DwQJi5q"
HOST = Host("db1", "10.0.0.1")


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "known_hosts"
    path.write_text(text)
    return str(path)


def names(tmp_path: Path, text: str) -> list[str]:
    return list(load_host_keys(file(tmp_path, text)))


def test_a_key_is_known_by_name_and_address(tmp_path: Path) -> None:
    assert names(tmp_path, f"db1,10.0.0.1 ssh-ed25519 {KEY} a comment\n") == ["db1", "10.0.0.1"]


def test_a_file_that_is_not_there_knows_nobody(tmp_path: Path) -> None:
    assert len(load_host_keys(str(tmp_path / "none"))) == 0


def test_lines_that_paramiko_cannot_read_do_not_hide_the_others(tmp_path: Path) -> None:
    text = (
        "# a comment\n\n"
        f"@cert-authority *.example.com ssh-ed25519 {KEY}\n"
        f"@revoked 10.0.0.9 ssh-ed25519 {KEY}\n"
        "10.0.0.2 ssh-ed25519 not-base64!\n"
        "10.0.0.3 ssh-ed25519\n"
        "10.0.0.4\n"
        f"10.0.0.5 ssh-of-tomorrow {KEY}\n"
        f"10.0.0.1 ssh-ed25519 {KEY}"
    )
    assert names(tmp_path, text) == ["10.0.0.1"]


def test_a_hashed_name_is_recognised(tmp_path: Path) -> None:
    keys = load_host_keys(
        file(tmp_path, f"|1|VMWjN2ez03HSiMeDCrHybMY4HaE=|hcQIkfEzUquBACfKLlntXh3f8ng= ssh-ed25519 {KEY}\n")
    )
    assert keys.lookup("10.0.0.1") is not None
    assert keys.lookup("10.0.0.2") is None


@pytest.mark.parametrize("content", [b"caf\xe9 ssh-ed25519 x\n", None])
def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "known_hosts"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(InvalidInput) as caught:
        load_host_keys(str(path))
    assert caught.value.message.startswith(f"ssh.known_hosts: {path}")
    assert caught.value.hint == "see ssh.known_hosts in hosts.yaml"


@pytest.mark.parametrize(
    "port, address, name",
    [(22, "10.0.0.1", "10.0.0.1"), (2222, "10.0.0.1", "[10.0.0.1]:2222"), (2222, "fd00::1", "[fd00::1]:2222")],
)
def test_a_host_goes_by_its_address_and_a_port_that_is_not_22(port: int, address: str, name: str) -> None:
    assert known_name(Host("db1", address, port=port)) == name


def test_a_fingerprint_as_ssh_keygen_prints_it(tmp_path: Path) -> None:
    key = load_host_keys(file(tmp_path, f"h ssh-ed25519 {KEY}\n")).lookup("h")["ssh-ed25519"]  # type: ignore[index]
    assert fingerprint(key) == "ssh-ed25519 SHA256:ljtj217OFWHaOe09zzSO6N0dhX+o9WIf9oGe/kzj5fI"


def connections(path: Path) -> Any:
    return SimpleNamespace(
        fleet=SimpleNamespace(ssh=SimpleNamespace(known_hosts=str(path))), host_keys=paramiko.HostKeys()
    )


@pytest.mark.parametrize(
    "before, after",
    [(None, ""), ("", ""), ("# mine\n", "# mine\n"), ("# no newline", "# no newline\n")],
)
def test_a_key_is_added_below_the_others(tmp_path: Path, before: str | None, after: str) -> None:
    path = tmp_path / "new folder" / "known_hosts"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    key = load_host_keys(file(tmp_path, f"h ssh-ed25519 {KEY}\n")).lookup("h")["ssh-ed25519"]  # type: ignore[index]
    known = connections(path)
    add_host_key(known, Host("db1", "10.0.0.1", port=2222), key)
    assert path.read_text() == f"{after}[10.0.0.1]:2222 ssh-ed25519 {KEY}\n"
    assert list(load_host_keys(str(path))) == ["[10.0.0.1]:2222"]
    assert known.host_keys.lookup("[10.0.0.1]:2222") is not None
