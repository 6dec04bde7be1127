"""A connection to this machine instead of a host, without SSH: the part of paramiko that `remote/run.py` uses."""

from __future__ import annotations

import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

from aerodrome.fleet.model import Deploy, Fleet, Host
from aerodrome.remote.shell import Shell
from aerodrome.secrets import Secret

# Like sudo(8) with timestamp_type=ppid, its choice without a terminal: the parent owns the ticket, and -k ignores it.
SUDO = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$SUDO_LOG"
never= ignore= ticket=$SUDO_LOG.ticket-$PPID
while :; do
  case $1 in -k) ignore=1; shift;; -n) never=1; shift;; -S) shift;; -p) shift 2;; *) break;; esac
done
[ $# -gt 0 ] || { rm -f "$ticket"; exit 0; }
if [ -n "$SUDO_PASSWORD" ] && { [ -n "$ignore" ] || [ ! -e "$ticket" ]; }; then
  [ -z "$never" ] || { echo 'sudo: a password is required' >&2; exit 1; }
  for _ in 1 2 3; do
    IFS= read -r given || { echo 'sudo: no password was provided' >&2; exit 1; }
    [ "$given" != "$SUDO_PASSWORD" ] || break
    echo 'Sorry, try again.' >&2
  done
  [ "$given" = "$SUDO_PASSWORD" ] || exit 1
  [ -n "$ignore$SUDO_NO_TICKETS" ] || touch "$ticket"
fi
AS_ROOT=yes exec "$@"
"""


class Channel:
    """A channel that runs a command in a shell, as sshd does in a user's login shell."""

    def __init__(self, environment: dict[str, str], shell: str) -> None:
        self._environment, self._shell = environment, shell
        self._begun = threading.Event()
        self._timeout = 1.0
        self._closed = False
        self.status_event = SimpleNamespace(wait=self._wait)

    def settimeout(self, seconds: float) -> None:
        self._timeout = seconds

    def exec_command(self, command: str) -> None:
        self._process = subprocess.Popen(
            [self._shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            bufsize=0,
        )
        self._begun.set()

    def recv(self, size: int) -> bytes:
        self._begun.wait(5)
        return self._read(self._process.stdout, size)

    def recv_stderr(self, size: int) -> bytes:
        self._begun.wait(5)
        return self._read(self._process.stderr, size)

    def _read(self, stream: IO[bytes] | None, size: int) -> bytes:
        """Read as a channel does: TimeoutError if nothing arrives, b"" once it has been closed."""
        assert stream is not None
        deadline = time.monotonic() + self._timeout
        while not self._closed:
            if select.select([stream], [], [], 0.05)[0]:
                return os.read(stream.fileno(), size)
            if time.monotonic() > deadline:
                raise TimeoutError
        return b""

    def exit_status_ready(self) -> bool:
        return self._closed or self._process.poll() is not None

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def recv_exit_status(self) -> int:
        return self._process.wait(30)

    def sendall(self, data: bytes) -> None:
        assert self._process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self._process.stdin.write(view) :]

    def shutdown_write(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            time.sleep(0.1)  # the reader has seen it
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()
        threading.Thread(target=self._process.wait, daemon=True).start()  # processes that still print end because of it


class Local:
    """Connections whose every host is this machine; `sudo` is the password that its sudo asks, if any.

    It asks once if it gives `tickets`, otherwise each time.
    """

    def __init__(
        self,
        folder: Path,
        sudo: str = "",
        given: str | None = None,
        shell: str = "sh",
        tickets: bool = True,
        deploy: Deploy | None = None,
    ) -> None:
        programs = folder / "sudo-programs"
        programs.mkdir(exist_ok=True)
        (programs / "sudo").write_text(SUDO)
        (programs / "sudo").chmod(0o755)
        self.log = programs / "log"
        self.log.touch()
        self._given, self._shell = given, shell
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "SUDO_PASSWORD": sudo,
            "SUDO_LOG": str(self.log),
            "SUDO_NO_TICKETS": "" if tickets else "1",
        }
        self.broken: Callable[[Host], Exception | None] = lambda host: None
        self.shells: dict[str, Shell] = {}
        self.fleet = Fleet("hosts.yaml", {}, {}, deploy=deploy or Deploy())

    def start(self, host: Host) -> Shell:
        """Start the shell that the next script on `host` takes."""
        self.shells[host.name] = Shell(self.to(host).transport, host, self.sudo_password(host))
        return self.shells[host.name]

    def shell(self, host: Host) -> Shell | None:
        return self.shells.pop(host.name, None)

    def begin(self, hosts: Sequence[Host]) -> None:
        pass

    def to(self, host: Host) -> Any:
        error = self.broken(host)
        if error:
            raise error
        transport = SimpleNamespace(
            open_session=lambda timeout: Channel(self.environment, self._shell), is_active=lambda: True
        )
        return SimpleNamespace(transport=transport)

    def lost(self, host: Host) -> str:
        return ""

    def sudo_password(self, host: Host) -> Secret | None:
        return None if self._given is None else Secret(self._given)
