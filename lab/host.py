"""One host: an overlay over the base image, booted by systemd-nspawn."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cache, cgroup, image, network, process, seed
from lab.errors import LabError
from lab.layout import CACHE, HostSpec, Layout
from lab.shell import run, say, wait_until

BOOT_SECONDS = 60
STOP_SECONDS = 20  # what systemd in the host gets to stop its services


@dataclass(frozen=True)
class Boot:
    """What a host is booted from: the base image, and folders of the machine bound read-only."""

    image: str
    binds: tuple[str, ...] = ()  # SOURCE or SOURCE:DESTINATION

    def fits(self, other: Boot) -> bool:
        """Tell whether a host made from this may go on where the other is asked for.

        A newer image of its suite is no reason to lose what it has.
        """
        same_suite = image.suite_of(self.image) == image.suite_of(other.image)
        return same_suite and Path(self.image).is_dir()


@dataclass(frozen=True)
class Host:
    """A host of one lab, whatever state it is in."""

    layout: Layout
    spec: HostSpec

    @property
    def folder(self) -> Path:
        return self.layout.host(self.spec)

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def address(self) -> str:
        return self.layout.address(self.spec)

    @property
    def marker(self) -> str:
        """The argument by which this host's systemd-nspawn is known among all processes."""
        return f"--directory={self.root}"

    @property
    def groups(self) -> list[Path]:
        """The host's control groups, one in each tree."""
        return [tree / f"aerodrome-{self.layout.machine(self.spec)}" for tree in cgroup.trees()]

    # Asking

    def pid(self) -> int | None:
        """Return the pid of the host's PID 1 on this machine; None when it is down."""
        return next(iter(process.leaders(self.folder / "upper")), None)

    def supervised(self) -> bool:
        """Tell whether the host's systemd-nspawn is there."""
        return bool(process.supervisors(self.marker))

    def pids(self) -> list[int]:
        """Return all pids that have to go for the host to be down."""
        return process.supervisors(self.marker) + process.leaders(self.folder / "upper")

    def mounted(self) -> bool:
        return self.root.is_mount()

    def answers(self) -> bool:
        """Tell whether sshd greets who connects."""
        try:
            with socket.socket() as connection:
                connection.settimeout(2)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, network.PROBE_MARK)
                connection.connect((self.address, 22))
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def up(self) -> bool:
        return self.supervised() and self.pid() is not None and self.answers()

    # Starting

    def start(self, boot: Boot, keys: seed.Keys) -> None:
        """Boot the host and wait until it is up; one that was made before keeps what it has."""
        made = self.made()
        if made is None or not made.fits(boot):
            self.discard()
            self._make(boot, keys)
        else:
            boot = Boot(made.image, boot.binds)
        self._mount(boot)
        self._remember(boot)
        self._spawn(boot)
        self._await_boot()

    def made(self) -> Boot | None:
        """Return what the host was made from; None when it was not made, or only half."""
        record = self.folder / "boot.json"
        if not record.exists():
            return None
        kept = json.loads(record.read_text())
        return Boot(kept["image"], tuple(kept["binds"]))

    def _make(self, boot: Boot, keys: seed.Keys) -> None:
        self._mount(boot)
        seed.plant(self.root, self.layout, self.spec, keys)

    def _remember(self, boot: Boot) -> None:
        # Whole, and after all else: it says that the host is made.
        record = self.folder / "boot.json"
        part = record.with_suffix(".part")
        part.write_text(json.dumps({"image": boot.image, "binds": boot.binds}))
        part.rename(record)

    def _mount(self, boot: Boot) -> None:
        if self.mounted():
            return
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        run(mount_command(self.folder, boot.image))

    def _spawn(self, boot: Boot) -> None:
        with self.console.open("ab") as console:
            subprocess.run(
                [
                    "setsid",
                    "--fork",
                    "sh",
                    "-c",
                    boot_script(self.groups),
                    "lab",
                    *self.command(boot),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                check=True,
            )

    def command(self, boot: Boot) -> list[str]:
        """Return the command that boots the host.

        --register=no and --keep-unit let it run where systemd is not the machine's PID 1.
        """
        shared = [f"--bind={CACHE / name}:{where}" for name, where in cache.BINDS.items()]
        return [
            "systemd-nspawn",
            "--quiet",
            "--register=no",
            "--keep-unit",
            self.marker,
            f"--machine={self.layout.machine(self.spec)}",
            f"--hostname={self.spec.name}",
            f"--network-bridge={self.layout.bridge}",
            "--resolv-conf=off",
            "--console=pipe",
            # Nothing here has to outlive a power cut; installing takes half the time.
            "--suppress-sync=yes",
            *shared,
            *(f"--bind-ro={bind}" for bind in boot.binds),
            "--boot",
        ]

    def _await_boot(self) -> None:
        began = time.monotonic()
        deadline = began + BOOT_SECONDS
        if not wait_until(lambda: self.answers() or not self.supervised(), BOOT_SECONDS):
            self._give_up("does not answer on ssh", began)
        if not self.supervised():
            self._give_up("died while booting", began)
        state = self.inside("systemctl is-system-running --wait", deadline - time.monotonic())
        if state != "running":
            self._give_up(f"is {state or 'still booting'}", began)

    def _give_up(self, what: str, began: float) -> None:
        for line in self.last_words():
            say(f"{self.spec.name}| {line}")
        seconds = time.monotonic() - began
        raise LabError(f"{self.spec.name} {what} after {seconds:.0f} s", f"its log: {self.console}")

    def last_words(self, count: int = 15) -> list[str]:
        """Return the end of the host's console log."""
        if not self.console.exists():
            return []
        return self.console.read_text(errors="replace").splitlines()[-count:]

    # Inside

    def enter(self, command: str) -> list[str]:
        """Return the command that runs shell in the host, as root."""
        pid = self.pid()
        if pid is None:
            raise LabError(f"{self.spec.name} is down", "fab lab.up")
        return enter_command(pid, command)

    def inside(self, command: str, seconds: float) -> str:
        """Return what a command in the host prints; nothing when it takes too long."""
        try:
            done = subprocess.run(
                self.enter(command), capture_output=True, text=True, timeout=max(seconds, 1)
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    # Stopping

    def stop(self) -> None:
        """Power the host off; after a deadline, pull the plug."""
        if not wait_until(self._powered_off, STOP_SECONDS, pause=0.5):
            say(f"{self.spec.name}: did not power off in {STOP_SECONDS} s, killed")
            wait_until(self._killed, STOP_SECONDS)
        cgroup.remove(self.groups)
        self._unmount()

    def _powered_off(self) -> bool:
        # Asked again each time: the first moments of a boot do not hear it.
        process.send(process.leaders(self.folder / "upper"), process.POWER_OFF)
        return not self.pids()

    def _killed(self) -> bool:
        # All that runs in the host goes with its PID 1.
        process.send(self.pids(), signal.SIGKILL)
        return not self.pids()

    def _unmount(self) -> None:
        while self.mounted():
            run(["umount", str(self.root)])

    def discard(self) -> None:
        """Throw away what the host has become; it must be down."""
        self._unmount()
        (self.folder / "boot.json").unlink(missing_ok=True)
        for name in ("upper", "work"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    # Trouble

    def plug(self, state: str) -> None:
        """Set the host's network cable "up" or "down"."""
        run(["ip", "link", "set", self.layout.port(self.spec), state])


def boot_script(groups: list[Path]) -> str:
    """Return the shell that runs its arguments in these control groups, again at each reboot.

    systemd-nspawn ends with 133 when the host was asked to reboot, and with another code else: its
    --keep-unit leaves the next boot to whoever started it.
    """
    once = shlex.quote(f'{cgroup.enter_script(groups)}; exec "$@"')
    return f'until sh -c {once} lab "$@"; [ $? -ne 133 ]; do :; done'


def mount_command(folder: Path, lower: str) -> list[str]:
    """Return the command that lays the host's own files over the base image."""
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    return ["mount", "-t", "overlay", "overlay", "-o", options, str(folder / "root")]


def enter_command(pid: int, command: str) -> list[str]:
    """Return the command that runs shell beside the PID 1 of a host, with a fresh environment."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = ["env", "-i", path, "HOME=/root", "LANG=C.UTF-8"]
    return ["nsenter", f"--target={pid}", "--all", *environment, "sh", "-c", command]


def names(layout: Layout) -> Sequence[str]:
    """Return the hosts of a lab that have anything on this machine."""
    folder = layout.state / "hosts"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
