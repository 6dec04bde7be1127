"""known_hosts: keys that ssh-keygen made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from aerodrome.fleet.model import Host
from aerodrome.remote.hostkeys import add_host_key, fingerprint, known_name, parse_host_keys

# ssh-keygen -t ed25519; its fingerprint by ssh-keygen -l.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAICbeFqo1+HcY9JbMiQc20HFS1LTsIPPIJyjG7DwQJi5q"
HOST = Host("db1", "10.0.0.1")


def names(text: str) -> list[str]:
    return list(parse_host_keys(text))


def test_a_key_is_known_by_name_and_address() -> None:
    assert names(f"db1,10.0.0.1 ssh-ed25519 {KEY} a comment\n") == ["db1", "10.0.0.1"]


def test_lines_that_paramiko_cannot_read_do_not_hide_the_others() -> None:
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
    assert names(text) == ["10.0.0.1"]


def test_a_hashed_name_is_recognised() -> None:
    keys = parse_host_keys(f"|1|VMWjN2ez03HSiMeDCrHybMY4HaE=|hcQIkfEzUquBACfKLlntXh3f8ng= ssh-ed25519 {KEY}\n")
    assert keys.lookup("10.0.0.1") is not None
    assert keys.lookup("10.0.0.2") is None


@pytest.mark.parametrize(
    "port, address, name",
    [(22, "10.0.0.1", "10.0.0.1"), (2222, "10.0.0.1", "[10.0.0.1]:2222"), (2222, "fd00::1", "[fd00::1]:2222")],
)
def test_a_host_goes_by_its_address_and_a_port_that_is_not_22(port: int, address: str, name: str) -> None:
    assert known_name(Host("db1", address, port=port)) == name


def test_a_fingerprint_as_ssh_keygen_prints_it() -> None:
    key = parse_host_keys(f"h ssh-ed25519 {KEY}\n").lookup("h")["ssh-ed25519"]  # type: ignore[index]
    assert fingerprint(key) == "ssh-ed25519 SHA256:ljtj217OFWHaOe09zzSO6N0dhX+o9WIf9oGe/kzj5fI"


class Kept:
    """A known_hosts file in memory."""

    text = ""

    def read(self) -> str:
        return self.text

    def add(self, line: str) -> None:
        self.text += f"{line}\n"


def test_a_key_that_is_added_is_known_at_once_and_later() -> None:
    key = parse_host_keys(f"h ssh-ed25519 {KEY}\n").lookup("h")["ssh-ed25519"]  # type: ignore[index]
    kept = Kept()
    known: Any = SimpleNamespace(known_hosts=kept, host_keys=paramiko.HostKeys())
    add_host_key(known, Host("db1", "10.0.0.1", port=2222), key)
    assert kept.text == f"[10.0.0.1]:2222 ssh-ed25519 {KEY}\n"
    assert names(kept.text) == list(known.host_keys) == ["[10.0.0.1]:2222"]
