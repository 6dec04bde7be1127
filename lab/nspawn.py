"""The commands that turn a base image into a host, with systemd-nspawn: built here, run elsewhere."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cache, cgroup, image
from lab.layout import CACHE, HostSpec, Layout

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Boot:
    """The parts that a host boots from: the base image, and directories of the machine mounted read-only."""

    image: str
    binds: tuple[str, ...] = ()  # SOURCE or SOURCE:DESTINATION

    def fits(self, other: Boot) -> bool:
        """Tell whether a host made from this may continue where the other is requested.

        A newer image of the same suite is no reason to lose the host's files.
        """
        same_suite = image.suite_of(self.image) == image.suite_of(other.image)
        return same_suite and Path(self.image).is_dir()


def marker(root: Path) -> str:
    """Return the argument that identifies a host's systemd-nspawn among all processes."""
    return f"--directory={root}"


def mount_command(folder: Path, lower: str) -> list[str]:
    """Return the command that mounts a host's own files over the base image."""
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    return ["mount", "-t", "overlay", "overlay", "-o", options, str(folder / "root")]


def boot_command(layout: Layout, spec: HostSpec, root: Path, binds: Sequence[str]) -> list[str]:
    """Return the command that boots a host.

    --register=no and --keep-unit let it run where systemd is not the machine's PID 1.
    """
    shared = [f"--bind={CACHE / name}:{where}" for name, where in cache.BINDS.items()]
    return [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        marker(root),
        f"--machine={layout.machine(spec)}",
        f"--hostname={spec.node}",
        f"--network-bridge={layout.bridge}",
        "--resolv-conf=off",
        "--console=pipe",
        # Nothing here must survive a power cut, and packages install faster.
        "--suppress-sync=yes",
        *shared,
        *(f"--bind-ro={bind}" for bind in binds),
        "--boot",
    ]


def detached(groups: list[Path], command: Sequence[str]) -> list[str]:
    """Return the command that runs another one detached, in these control groups.

    It runs again at each reboot: systemd-nspawn exits with 133 if the host was asked to reboot, and with
    another code otherwise (with --keep-unit, whoever started it has to boot it again).
    """
    once = shlex.quote(f'{cgroup.enter_script(groups)}; exec "$@"')
    script = f'until sh -c {once} lab "$@"; [ $? -ne 133 ]; do :; done'
    return ["setsid", "--fork", "sh", "-c", script, "lab", *command]


def enter_command(pid: int, command: str) -> list[str]:
    """Return the command that runs a shell command in a host's namespaces, with a fresh environment.

    It ends with nsenter: processes left behind in a host would delay its shutdown.
    """
    mortal = ["setpriv", "--pdeathsig", "KILL"]
    environment = ["env", "-i", PATH, "HOME=/root", "LANG=C.UTF-8"]
    return ["nsenter", f"--target={pid}", "--all", *mortal, *environment, "sh", "-c", command]
