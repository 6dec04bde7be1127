"""Turn the base image into a particular host: its name, address, keys and login user."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import borrowed, cache
from lab.layout import HostSpec, Layout
from lab.shell import run


@dataclass(frozen=True)
class File:
    """A file owned by root."""

    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Keys:
    """The keys and password that a client expects of a host."""

    host_private: str
    host_public: str
    client_public: str
    sudo_password: str


def plant(root: Path, layout: Layout, spec: HostSpec, keys: Keys) -> None:
    """Turn a fresh copy of the base image into this host."""
    write(root, {**identity(layout, spec), **registries(borrowed.pip_settings())})
    write(root, login(spec, keys))
    if spec.user != "root":
        passwords = f"{spec.user}:{keys.sudo_password}\n" if spec.asks_password else ""
        run(["chroot", str(root), "sh", "-euc", user_script(spec.user)], stdin=passwords)


def write(root: Path, files: Mapping[str, File]) -> None:
    """Write files below `root`, creating directories as needed."""
    for path, file in files.items():
        target = root / path.lstrip("/")
        for folder in reversed(target.parents):
            if not folder.exists():
                folder.mkdir(mode=0o700 if folder.name == ".ssh" else 0o755)
        target.unlink(missing_ok=True)  # a symbolic link would point to the machine's own file
        target.touch(mode=0o600)
        target.chmod(file.mode)
        target.write_text(file.text)


def identity(layout: Layout, spec: HostSpec) -> dict[str, File]:
    """Return the files that set the host's name and address."""
    return {
        "/etc/hostname": File(f"{spec.node}\n"),
        # As Debian's installer writes it: no host knows another's name.
        "/etc/hosts": File(f"127.0.0.1\tlocalhost\n127.0.1.1\t{spec.node}\n"),
        # If it is empty, systemd-firstboot fails, and the host is "degraded".
        "/etc/machine-id": File(f"{uuid.uuid4().hex}\n", 0o444),
        "/etc/resolv.conf": File(borrowed.resolv_conf()),
        # The name sorts before 80-container-host0.network, which would ask for DHCP.
        "/etc/systemd/network/10-host0.network": File(network_unit(layout, spec)),
    }


def network_unit(layout: Layout, spec: HostSpec) -> str:
    """Return systemd-networkd's file; the address survives a pulled cable (Lab.cut)."""
    return f"""[Match]
Name=host0

[Network]
Address={layout.address(spec)}/24
Gateway={layout.gateway}
IgnoreCarrierLoss=yes
"""


def registries(pip_settings: Mapping[str, str]) -> dict[str, File]:
    """Return the files that point pip and uv to their registry and the shared caches."""
    pip = {"cert": borrowed.CERTIFICATES, "cache-dir": cache.BINDS["pip"], **pip_settings}
    uv = f'cache-dir = "{cache.BINDS["uv"]}"\nlink-mode = "copy"\nnative-tls = true\n'
    if "index-url" in pip_settings:
        uv += f'index-url = "{pip_settings["index-url"]}"\n'
    # uv --config-file ignores /etc/uv/uv.toml; PAM passes these to ssh sessions and sudo.
    environment = {
        "SSL_CERT_FILE": borrowed.CERTIFICATES,
        "UV_CACHE_DIR": cache.BINDS["uv"],
        "UV_LINK_MODE": "copy",
    }
    return {
        "/etc/pip.conf": File("[global]\n" + _settings(pip, " = ")),
        "/etc/uv/uv.toml": File(uv),
        "/etc/environment": File(_settings(environment, "=")),
    }


def _settings(values: Mapping[str, str], equals: str) -> str:
    return "".join(f"{key}{equals}{value}\n" for key, value in values.items())


def login(spec: HostSpec, keys: Keys) -> dict[str, File]:
    """Return the files that let the client log in and become root."""
    home = "/root" if spec.user == "root" else f"/home/{spec.user}"
    files = {
        "/etc/ssh/ssh_host_ed25519_key": File(keys.host_private, 0o600),
        "/etc/ssh/ssh_host_ed25519_key.pub": File(keys.host_public),
        "/etc/ssh/sshd_config.d/10-lab.conf": File("PasswordAuthentication no\n"),
        f"{home}/.ssh/authorized_keys": File(keys.client_public, 0o600),
    }
    if spec.user != "root":
        tag = "" if spec.asks_password else "NOPASSWD: "
        files[f"/etc/sudoers.d/{spec.user}"] = File(f"{spec.user} ALL=(ALL:ALL) {tag}ALL\n", 0o440)
    return files


def user_script(user: str) -> str:
    """Return the shell script that creates the user; chpasswd reads any passwords from stdin."""
    return (
        f"useradd --no-create-home --shell /bin/bash {user}; "
        f"cp -rT /etc/skel /home/{user}; chown -R {user}: /home/{user}; chpasswd"
    )
