"""One host: an overlay over the base image, booted by systemd-nspawn."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cgroup, network, nspawn, process, seed
from lab.errors import LabError
from lab.layout import HostSpec, Layout
from lab.nspawn import Boot
from lab.shell import run, say, wait_until

BOOT_SECONDS = 60
STOP_SECONDS = 20  # for systemd in the host to stop its services
STOP_TRIES = 4


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
    def upper(self) -> Path:
        """The host's own layer over the base image; also identifies its processes."""
        return self.folder / "upper"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"

    @property
    def address(self) -> str:
        return self.layout.address(self.spec)

    @property
    def groups(self) -> list[Path]:
        """The host's control groups, one in each tree."""
        return [tree / f"aerodrome-{self.layout.machine(self.spec)}" for tree in cgroup.trees()]

    # Asking

    def pid(self) -> int | None:
        """Return the pid of the host's PID 1 on this machine; None when it is down."""
        return next(iter(process.leaders(self.upper)), None)

    def supervised(self) -> bool:
        """Tell whether the host's systemd-nspawn is running."""
        return bool(process.supervisors(nspawn.marker(self.root)))

    def pids(self) -> list[int]:
        """Return all pids that must end for the host to be down."""
        return process.supervisors(nspawn.marker(self.root)) + process.leaders(self.upper)

    def mounted(self) -> bool:
        """Tell whether the overlay is mounted."""
        return self.root.is_mount()

    def answers(self) -> bool:
        """Tell whether sshd answers."""
        try:
            with socket.socket() as connection:
                connection.settimeout(2)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, network.PROBE_MARK)
                connection.connect((self.address, 22))
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def up(self) -> bool:
        """Tell whether the host is running and reachable."""
        return self.supervised() and self.pid() is not None and self.answers()

    # Starting

    def start(self, boot: Boot, keys: seed.Keys) -> None:
        """Boot the host and wait until it is up; an existing host keeps its files."""
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
        """Return the image and binds that the host was created from, or None if it was not, or only partly, created."""
        record = self.folder / "boot.json"
        if not record.exists():
            return None
        kept = json.loads(record.read_text())
        return Boot(kept["image"], tuple(kept["binds"]))

    def _make(self, boot: Boot, keys: seed.Keys) -> None:
        self._mount(boot)
        seed.plant(self.root, self.layout, self.spec, keys)

    def _remember(self, boot: Boot) -> None:
        # Written atomically and last: its presence means that the host is complete.
        record = self.folder / "boot.json"
        part = record.with_suffix(".part")
        part.write_text(json.dumps({"image": boot.image, "binds": boot.binds}))
        part.rename(record)

    def _mount(self, boot: Boot) -> None:
        if self.mounted():
            return
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        run(nspawn.mount_command(self.folder, boot.image))

    def _spawn(self, boot: Boot) -> None:
        boot_command = nspawn.boot_command(self.layout, self.spec, self.root, boot.binds)
        with self.console.open("ab") as console:
            subprocess.run(
                nspawn.detached(self.groups, boot_command),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                check=True,
            )

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
        self._show_end()
        seconds = time.monotonic() - began
        raise LabError(f"{self.spec.name} {what} after {seconds:.0f} s", f"its log: {self.console}")

    def _show_end(self) -> None:
        """Show the end of the host's console, and of its journal while that can be read."""
        lines = []
        if self.console.exists():
            lines = self.console.read_text(errors="replace").splitlines()
        if self.pid():
            lines += self.inside("ps -e f -o pid,args; journalctl -b -q -n 15", 5).splitlines()
        for line in lines[-40:]:
            say(f"{self.spec.name}| {line}")

    # Inside

    def enter(self, command: str) -> list[str]:
        """Return the command that runs shell in the host, as root."""
        pid = self.pid()
        if pid is None:
            raise LabError(f"{self.spec.name} is down", "fab lab.up")
        return nspawn.enter_command(pid, command)

    def inside(self, command: str, seconds: float) -> str:
        """Return a command's output in the host, or "" if it takes too long."""
        try:
            done = subprocess.run(self.enter(command), capture_output=True, text=True, timeout=max(seconds, 1))
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout.strip()

    # Stopping

    def reboot(self) -> None:
        """Reboot the host and wait until it is up.

        With a signal: "systemctl reboot" through nsenter would be a child of a process outside, so the
        host's PID 1 would not see its end, and systemd-shutdown would wait 90 s for it.
        """
        before = self.pid()
        process.send([before] if before else [], process.REBOOT)
        wait_until(lambda: self.pid() not in (before, None), STOP_SECONDS)
        self._await_boot()

    def stop(self) -> None:
        """Power the host off; after a deadline, pull the plug."""
        if not any(self._powered_off() for _ in range(STOP_TRIES)):
            self._show_end()
            say(f"{self.spec.name} does not shut down, killing it")
            wait_until(self._killed, STOP_SECONDS)
        cgroup.remove(self.groups)
        if not wait_until(self._unplugged, STOP_SECONDS):
            raise LabError(f"{self.spec.name}: {self.layout.port(self.spec)} does not disappear")
        self._unmount()

    def _powered_off(self) -> bool:
        # Sent repeatedly, because a host that has just begun to boot ignores it.
        process.send(process.leaders(self.upper), process.POWER_OFF)
        return wait_until(lambda: not self.pids(), STOP_SECONDS / STOP_TRIES)

    def _unplugged(self) -> bool:
        # The kernel removes the host's network some time after its last process: minutes if sockets linger.
        port = self.layout.port(self.spec)
        run(["ip", "link", "delete", port], check=False)
        return not Path("/sys/class/net", port).exists()

    def _killed(self) -> bool:
        # Everything in the host ends with its PID 1.
        process.send(self.pids(), signal.SIGKILL)
        return not self.pids()

    def _unmount(self) -> None:
        # Processes that a killed run left inside end in a moment.
        umount = ["umount", str(self.root)]
        if self.mounted() and not wait_until(lambda: _succeeds(umount), 5):
            run(umount)

    def discard(self) -> None:
        """Delete the host's own files; it must be down."""
        self._unmount()
        (self.folder / "boot.json").unlink(missing_ok=True)
        for name in ("upper", "work"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def remove(self) -> None:
        """Stop the host and delete it."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # Trouble

    def plug(self, state: str) -> None:
        """Set the host's network cable "up" or "down"."""
        run(["ip", "link", "set", self.layout.port(self.spec), state])


def _succeeds(command: list[str]) -> bool:
    return run(command, check=False).returncode == 0


def names(layout: Layout) -> Sequence[str]:
    """Return the hosts of a lab that have anything on this machine."""
    folder = layout.state / "hosts"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
