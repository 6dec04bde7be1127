"""The lab's requirements: Linux, root, and a few packages, which it installs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from lab.errors import LabError
from lab.shell import run, say

# Required programs, and the Debian packages that provide them.
NEEDS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
}


def require() -> None:
    """Ensure that the lab can run here; install what is missing."""
    require_root()
    packages = missing(_present)
    if packages:
        _install(packages)


def require_root() -> None:
    """Raise LabError if no lab can run here, or not as this user."""
    if sys.platform != "linux":
        raise LabError(
            "the practice fleet needs Linux, with systemd-nspawn",
            "run it in a Debian virtual machine, or write a hosts.yaml for hosts of your own",
        )
    if os.geteuid() != 0:
        raise LabError("the practice fleet needs root", "sudo fab lab.up")


def missing(present: Callable[[str], bool]) -> list[str]:
    """Return the packages of missing programs, in order."""
    return sorted({package for need, package in NEEDS.items() if not present(need)})


def _present(need: str) -> bool:
    return Path(need).exists() if need.startswith("/") else shutil.which(need) is not None


def _install(packages: list[str]) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise LabError(
            f"the practice fleet needs {names}, and this machine has no apt-get to install it",
            "run it in a Debian virtual machine",
        )
    say(f"installing {names} with apt-get")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    run(["apt-get", "update", "-q"])
    run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages])
