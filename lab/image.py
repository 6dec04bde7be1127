"""The base image: a bare, bootable Debian, built once per suite and shared by all hosts.

Bare means like a new machine: no compiler, no venv, no PostgreSQL. Their packages are already in
apt's archive cache, so that five hosts can install them at once without a network, and without
waiting for each other's lock on that cache.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from functools import cache
from pathlib import Path

from lab import borrowed
from lab.errors import LabError
from lab.layout import CACHE, STATE
from lab.shell import locked, run, say

INCLUDE = "systemd,systemd-sysv,dbus,openssh-server,sudo,python3,iproute2,ca-certificates,procps"

# Downloaded, not installed: what deploy installs, and tools for experiments.
DOWNLOADS = "python3-venv python3-dev python3-pip gcc g++ libpq-dev postgresql redis-server acl rsync curl"

# Hooks get the image's directory as "$1".
HOOKS = (
    'chroot "$1" apt-get clean',  # the base packages, which are never installed again
    'chroot "$1" apt-get update -q',
    # With recommended packages: mmdebstrap turns them off, but the hosts should not.
    f'chroot "$1" apt-get install -q -y --install-recommends --download-only {DOWNLOADS}',
    # systemd-sysctl: the kernel's settings belong to the machine. The timers: apt would sometimes hold its
    # lock just when a deploy needs it.
    'chroot "$1" systemctl mask systemd-sysctl.service apt-daily.timer apt-daily-upgrade.timer',
    'chroot "$1" systemctl enable systemd-networkd.service',
    # Each host gets its own key and machine-id.
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/machine-id',
)


def ensure(suite: str) -> Path:
    """Return the directory of the suite's base image; build it if needed."""
    image = CACHE / f"{suite}-{fingerprint(suite)}"
    if image.is_dir():
        return image
    with locked(CACHE / "image.lock", "another lab is making a base image, waiting for it"):
        if not image.is_dir():
            _make(suite, image)
    return image


def suite_of(image: str) -> str:
    """Return the suite of an image."""
    return Path(image).name.rpartition("-")[0]


@cache
def fingerprint(suite: str) -> str:
    """Return a digest of what the image depends on: its recipe and the machine's certificates."""
    recipe = command(suite, Path("target"), Path("apt.conf"), borrowed.apt_sources(suite))
    text = "\0".join([*recipe, borrowed.apt_conf()])
    return hashlib.sha256(text.encode() + borrowed.certificates()).hexdigest()[:8]


def command(suite: str, target: Path, apt_conf: Path, sources: list[str]) -> list[str]:
    """Return the command that builds the image."""
    hooks = [f"--customize-hook={hook}" for hook in (*borrowed.TRUST_HOOKS, *HOOKS)]
    return [
        *mortal(),
        "mmdebstrap",
        "--variant=minbase",
        f"--include={INCLUDE}",
        f"--aptopt={apt_conf}",
        "--skip=cleanup/apt",
        *hooks,
        suite,
        str(target),
        *sources,
    ]


def mortal() -> list[str]:
    """Return a command prefix that leaves nothing running or mounted, however the command ends.

    The command dies with the process that started it, together with its whole namespace.
    """
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return ["setpriv", "--pdeathsig", "KILL", *unshare]


def _make(suite: str, image: Path) -> None:
    say(f"building the base image of Debian {suite}; this happens once and takes about two minutes")
    began = time.monotonic()
    _remove_stale(suite)
    target = CACHE / f".{image.name}.part"
    target.mkdir(parents=True)
    apt_conf = CACHE / "apt.conf"
    apt_conf.write_text(borrowed.apt_conf())
    try:
        run(command(suite, target, apt_conf, borrowed.apt_sources(suite)))
    except LabError as error:
        why = str(error).partition(": ")[2]
        raise LabError(f"cannot build the base image of Debian {suite}: {why}", error.hint) from None
    target.rename(image)
    say(f"base image of Debian {suite} built in {time.monotonic() - began:.0f} s")


def _remove_stale(suite: str) -> None:
    """Remove partial images of killed runs, and outdated images that no host uses."""
    stands = "".join(record.read_text() for record in STATE.glob("*/hosts/*/boot.json"))
    outdated = [each for each in CACHE.glob(f"{suite}-*") if str(each) not in stands]
    for folder in [*CACHE.glob(f".{suite}-*.part"), *outdated]:
        shutil.rmtree(folder)
