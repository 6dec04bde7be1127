from pathlib import Path

from lab import keyring
from lab.layout import Layout, host_spec


def test_known_hosts_leaves_comments_out() -> None:
    publics = {"10.213.77.11": "ssh-ed25519 AAAA db1\n", "10.213.77.12": "ssh-ed25519 BBBB sched1"}
    assert keyring.known_hosts(publics) == ("10.213.77.11 ssh-ed25519 AAAA\n10.213.77.12 ssh-ed25519 BBBB\n")


def test_ssh_config_goes_through_the_jump_host() -> None:
    layout = Layout("demo")
    assert keyring.ssh_config(layout, [host_spec("sched1"), host_spec("worker2")]) == (
        f"""\
Host *
  IdentityFile {layout.client}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {layout.client}/known_hosts

Host sched1
  HostName 10.213.77.12
  User ops

Host worker2
  HostName 10.213.77.15
  User ops
  ProxyJump sched1
"""
    )


def test_a_secret_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "sudo-password"
    path.write_text("older\n")
    keyring.write_secret(path, "newer\n")
    assert path.read_text() == "newer\n"
    assert path.stat().st_mode & 0o777 == 0o600
