"""The lab's secrets and keys, which exist as long as the lab, and their copy in the project."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.layout import HostSpec, Layout
from lab.seed import Keys
from lab.shell import run

CLIENT_KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
SUDO_PASSWORD = "sudo-password"
SSH_CONFIG = "ssh_config"


def prepare(layout: Layout, specs: Iterable[HostSpec]) -> None:
    """Create any missing keys, and the password."""
    _key(layout.state / CLIENT_KEY, f"aerodrome-lab-{layout.name}")
    password = layout.state / SUDO_PASSWORD
    if not password.exists():
        write_secret(password, secrets.token_urlsafe(12) + "\n")
    for spec in specs:
        _key(_host_key(layout, spec), spec.name)


def of(layout: Layout, spec: HostSpec) -> Keys:
    """Return the keys and password of a host."""
    private = _host_key(layout, spec)
    return Keys(
        host_private=private.read_text(),
        host_public=_public(private),
        client_public=_public(layout.state / CLIENT_KEY),
        sudo_password=(layout.state / SUDO_PASSWORD).read_text().strip(),
    )


def hand_out(layout: Layout, specs: Iterable[HostSpec]) -> None:
    """Write everything needed to log in into the project, owned by the project's owner."""
    folder = layout.client
    folder.mkdir(parents=True, exist_ok=True)
    specs = [spec for spec in specs if _host_key(layout, spec).exists()]
    for name in (CLIENT_KEY, SUDO_PASSWORD):
        write_secret(folder / name, (layout.state / name).read_text())
    publics = {layout.address(spec): _public(_host_key(layout, spec)) for spec in specs}
    (folder / KNOWN_HOSTS).write_text(known_hosts(publics))
    (folder / SSH_CONFIG).write_text(ssh_config(layout, specs))
    owner = folder.parent.parent.stat()
    for path in (folder.parent, folder, *folder.iterdir()):
        os.chown(path, owner.st_uid, owner.st_gid)


def take_back(layout: Layout) -> None:
    """Remove those files from the project."""
    shutil.rmtree(layout.client, ignore_errors=True)
    parent = layout.client.parent
    if parent.is_dir() and not any(parent.iterdir()):
        parent.rmdir()


def known_hosts(publics: dict[str, str]) -> str:
    """Return a known_hosts file for the hosts' public keys."""
    return "".join(f"{address} {' '.join(public.split()[:2])}\n" for address, public in publics.items())


def ssh_config(layout: Layout, specs: Iterable[HostSpec]) -> str:
    """Return a configuration for `ssh -F` with the hosts' names."""
    common = {
        "IdentityFile": layout.client / CLIENT_KEY,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": layout.client / KNOWN_HOSTS,
    }
    blocks = [_block("*", common)]
    for spec in specs:
        options = {"HostName": layout.address(spec), "User": spec.user}
        if spec.via:
            options["ProxyJump"] = spec.via
        blocks.append(_block(spec.name, options))
    return "\n".join(blocks)


def _block(pattern: str, options: Mapping[str, object]) -> str:
    return f"Host {pattern}\n" + "".join(f"  {key} {value}\n" for key, value in options.items())


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else can read, not even briefly."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _host_key(layout: Layout, spec: HostSpec) -> Path:
    return layout.state / "keys" / spec.name


def _public(private: Path) -> str:
    return private.with_name(f"{private.name}.pub").read_text()


def _key(path: Path, comment: str) -> None:
    if path.with_name(f"{path.name}.pub").exists():  # ssh-keygen writes it last
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
