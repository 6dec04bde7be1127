"""A practice fleet: start it, stop it, and break things in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from lab import cache, host, image, kernel, keyring, machine, network
from lab.errors import LabError
from lab.host import Host
from lab.layout import (
    CACHE,
    DEFAULT_LAB,
    DEFAULT_SUITE,
    FLEET,
    HOSTS,
    HostSpec,
    Layout,
    host_spec,
)
from lab.nspawn import Boot
from lab.shell import locked, say

AT_ONCE = 8  # clones that boot or stop together: with 50 at once, the last would take minutes to answer


@dataclass(frozen=True)
class HostStatus:
    """The state of a host, and how to reach it."""

    name: str
    address: str
    user: str
    via: str | None
    up: bool


class Lab:
    """One practice fleet, by name; several can be up at once.

    Every method can be called repeatedly, at any time, from any process: state is read from the machine,
    and a lock serializes callers.
    """

    def __init__(self, name: str | None = None) -> None:
        """Use the lab `name`, or else $AERODROME_LAB, or else "demo"."""
        self.layout = Layout(name or os.environ.get("AERODROME_LAB") or DEFAULT_LAB)
        self.name = self.layout.name

    # The whole fleet

    def up(self, hosts: Sequence[str] | None = None, suite: str | None = None) -> None:
        """Start hosts, by default the five of the fleet; hosts that are up are left alone.

        A host that was down keeps its files, unless another `suite` is requested.
        """
        specs = FLEET if hosts is None else tuple(host_spec(name) for name in hosts)
        self._up(specs, suite, None)

    def down(self) -> None:
        """Stop everything and leave nothing behind, in whatever state the lab is."""
        machine.require_root()
        with self._alone():
            found = self.layout.state.exists()
            self._each(lambda each: each.stop(), self._made())
            network.down(self.layout)
            shutil.rmtree(self.layout.state, ignore_errors=True)
            kernel.restore()
            keyring.take_back(self.layout)
        say(f"{self.name} is down" + ("" if found else " already"))

    def status(self) -> list[HostStatus]:
        """Return the state of the fleet and of any additional hosts."""
        machine.require_root()
        made = {each.spec.name for each in self._made()}
        specs = [spec for spec in HOSTS.values() if spec in FLEET or spec.name in made]
        return [
            HostStatus(spec.name, each.address, spec.user, spec.via, each.up())
            for spec, each in ((spec, self._host(spec.name)) for spec in specs)
        ]

    # One host

    def up_host(self, name: str, suite: str | None = None, binds: Sequence[str] | None = None) -> None:
        """Start one host, from the fleet or an additional one.

        `binds` are directories of this machine to mount read-only: SOURCE or SOURCE:DESTINATION.
        Without them and without `suite`, the host keeps its previous ones.
        """
        self._up((host_spec(name),), suite, None if binds is None else tuple(binds))

    def down_host(self, name: str) -> None:
        """Power one host off; it keeps its files."""
        with self._alone():
            self._host(name).stop()

    def reboot_host(self, name: str) -> None:
        """Reboot one host and wait until it is up again."""
        with self._alone():
            self._host(name).reboot()

    def wipe_host(self, name: str) -> None:
        """Reset one host to a bare system, keeping its host key."""
        with self._alone():
            each = self._host(name)
            boot = self._boot(each)
            each.stop()
            each.discard()
            self._start(each, boot)

    def pid(self, name: str) -> int:
        """Return the pid, on this machine, of the host's PID 1."""
        pid = self._host(name).pid()
        if pid is None:
            raise LabError(f"{name} is down", "fab lab.up")
        return pid

    def address(self, name: str) -> str:
        """Return the host's address."""
        return self.layout.address(host_spec(name))

    def run(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command in the host as root without ssh, to inspect what ssh has done."""
        argv = self._host(name).enter(command)
        return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)

    # Many hosts

    def clone(self, source: str, names: Sequence[str]) -> None:
        """Start hosts as copies of `source`, except for its name, address and keys.

        It becomes a lower layer of theirs, like the base image: `source` must be down, and stay down.
        """
        with self._alone():
            of = self._host(source)
            made = of.made()
            if made is None or of.up():
                raise LabError(f"{source} is up, or does not exist", "only a host that is down can be cloned")
            boot = Boot(f"{of.upper}:{made.image}", made.binds)
            specs = [host_spec(name) for name in names]
            keyring.prepare(self.layout, specs)
            for start in range(0, len(specs), AT_ONCE):
                hosts = [self._host(spec.name) for spec in specs[start : start + AT_ONCE]]
                self._each(lambda each: self._start(each, boot), hosts)
            keyring.hand_out(self.layout, HOSTS.values())

    def remove(self, names: Sequence[str]) -> None:
        """Stop hosts and delete them."""
        with self._alone():
            for start in range(0, len(names), AT_ONCE):
                self._each(lambda each: each.remove(), [self._host(name) for name in names[start : start + AT_ONCE]])

    # Trouble

    def cut(self, name: str) -> None:
        """Pull the host's network cable."""
        self._host(name).plug("down")

    def mend(self, name: str) -> None:
        """Plug the host's network cable back in."""
        self._host(name).plug("up")

    def limit_disk(self, name: str, path: str, megabytes: int) -> None:
        """Mount a small disk on a directory of the host, until the host goes down."""
        command = f"mkdir -p {path} && mount -t tmpfs -o size={megabytes}m,mode=755 tmpfs {path}"
        done = self.run(name, command)
        if done.returncode != 0:
            raise LabError(f"{name}: cannot mount a disk on {path}: {done.stderr.strip()}")

    def free_disk(self, name: str, path: str) -> None:
        """Unmount the small disk."""
        self.run(name, f"umount {path}")

    # Within

    def _up(self, specs: Sequence[HostSpec], suite: str | None, binds: tuple[str, ...] | None) -> None:
        began = time.monotonic()
        machine.require()
        with self._alone():
            wanted = [self._host(spec.name) for spec in specs]
            self.layout.state.mkdir(parents=True, exist_ok=True)
            kernel.prepare()
            network.up(self.layout, HOSTS.values())
            down = [each for each in wanted if not each.up()]
            if down:
                cache.prepare()
                boots = {each: self._boot(each, suite, binds) for each in down}
                keyring.prepare(self.layout, specs)
                self._each(lambda each: self._start(each, boots[each]), down)
            keyring.hand_out(self.layout, HOSTS.values())
        names = ", ".join(spec.name for spec in specs)
        seconds = f"up in {time.monotonic() - began:.1f} s" if down else "up already"
        say(f"{self.name}: {names} {seconds}")

    def _boot(self, each: Host, suite: str | None = None, binds: tuple[str, ...] | None = None) -> Boot:
        """Return the image and binds to boot a host from: its previous ones, unless others are requested."""
        made = each.made() or Boot(f"{DEFAULT_SUITE}-")
        kept = made.binds if binds is None else binds
        return Boot(str(image.ensure(suite or image.suite_of(made.image))), kept)

    def _start(self, each: Host, boot: Boot) -> None:
        began = time.monotonic()
        each.stop()  # remains of one that died
        each.start(boot, keyring.of(self.layout, each.spec))
        say(f"{each.spec.name} is up at {each.address} ({time.monotonic() - began:.1f} s)")

    def _host(self, name: str) -> Host:
        return Host(self.layout, host_spec(name))

    def _made(self) -> list[Host]:
        return [self._host(name) for name in host.names(self.layout)]

    def _each(self, act: Callable[[Host], None], hosts: Iterable[Host]) -> None:
        """Act on all hosts in parallel; once all are done, fail with every reason."""
        hosts = list(hosts)
        with ThreadPoolExecutor(max_workers=max(len(hosts), 1)) as pool:
            futures = [pool.submit(act, each) for each in hosts]
        failures = [error for future in futures if (error := future.exception())]
        unforeseen = [error for error in failures if not isinstance(error, LabError)]
        if unforeseen:
            raise unforeseen[0]
        if failures:
            hints = [error.hint for error in failures if isinstance(error, LabError) and error.hint]
            raise LabError("; ".join(str(error) for error in failures), "; ".join(hints))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        busy = f"another command is working on {self.name}, waiting for it"
        with locked(CACHE / f"{self.name}.lock", busy):
            yield
