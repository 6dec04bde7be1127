from pathlib import Path

from lab import seed
from lab.layout import Layout, host_spec
from lab.seed import File, Keys

KEYS = Keys("PRIVATE\n", "ssh-ed25519 HOST\n", "ssh-ed25519 CLIENT\n", "secret")


def test_network_unit() -> None:
    assert seed.network_unit(Layout("demo"), host_spec("web1")) == (
        """\
[Match]
Name=host0

[Network]
Address=10.213.77.13/24
Gateway=10.213.77.1
IgnoreCarrierLoss=yes
"""
    )


def test_root_logs_in_by_key_alone() -> None:
    assert seed.login(host_spec("db1"), KEYS) == {
        "/etc/ssh/ssh_host_ed25519_key": File("PRIVATE\n", 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": File("ssh-ed25519 HOST\n"),
        "/etc/ssh/sshd_config.d/10-lab.conf": File("PasswordAuthentication no\n"),
        "/root/.ssh/authorized_keys": File("ssh-ed25519 CLIENT\n", 0o600),
    }


def test_sudo_asks_for_a_password_on_web1_only() -> None:
    files = {name: seed.login(host_spec(name), KEYS) for name in ("sched1", "web1", "worker2")}
    assert {name: files[name]["/etc/sudoers.d/ops"] for name in files} == {
        "sched1": File("ops ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
        "web1": File("ops ALL=(ALL:ALL) ALL\n", 0o440),
        "worker2": File("ops ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
    }


def test_user_script() -> None:
    assert seed.user_script("ops") == (
        "useradd --no-create-home --shell /bin/bash ops; cp -rT /etc/skel /home/ops; chown -R ops: /home/ops; chpasswd"
    )


def test_pip_and_uv_share_their_caches_and_trust_the_machines_certificates() -> None:
    assert seed.registries({"index-url": "https://mirror/simple"}) == {
        "/etc/pip.conf": File(
            "[global]\n"
            "cert = /etc/ssl/certs/ca-certificates.crt\n"
            "cache-dir = /var/cache/pip\n"
            "index-url = https://mirror/simple\n"
        ),
        "/etc/uv/uv.toml": File(
            'cache-dir = "/var/cache/uv"\nlink-mode = "copy"\nnative-tls = true\nindex-url = "https://mirror/simple"\n'
        ),
        "/etc/environment": File(
            "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt\nUV_CACHE_DIR=/var/cache/uv\nUV_LINK_MODE=copy\n"
        ),
    }


def test_write_makes_folders_and_does_not_follow_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("the machine's\n")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/resolv.conf").symlink_to(outside)
    seed.write(
        root,
        {
            "/etc/resolv.conf": File("nameserver 192.0.2.53\n"),
            "/home/ops/.ssh/authorized_keys": File("key\n", 0o600),
        },
    )
    assert outside.read_text() == "the machine's\n"
    assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.53\n"
    assert (root / "home/ops/.ssh").stat().st_mode & 0o777 == 0o700
    assert (root / "home/ops/.ssh/authorized_keys").stat().st_mode & 0o777 == 0o600
