"""A connection to this machine in place of a host, without SSH: what `remote/run.py` sees of paramiko."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aerodrome.fleet import Fleet, Host
from aerodrome.secrets import Secret

# As sudo(8) with timestamp_type=ppid, which it takes without a terminal: a ticket is the parent's, and -k ignores it.
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
    """What runs a command: here a shell, as sshd runs the login shell of a user."""

    def __init__(self, environment: dict[str, str], shell: str) -> None:
        self._environment, self._shell = environment, shell

    def exec_command(self, command: str) -> None:
        self._process = subprocess.Popen(
            [self._shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            bufsize=0,
        )

    def recv(self, size: int) -> bytes:
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), size)

    def recv_stderr(self, size: int) -> bytes:
        assert self._process.stderr is not None
        return os.read(self._process.stderr.fileno(), size)

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
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        self._process.wait(30)  # what still prints ends of it


class Local:
    """Connections whose every host is this machine; `sudo` is the password that its sudo asks, if any.

    It asks once, where it gives `tickets`, or each time.
    """

    def __init__(
        self, folder: Path, sudo: str = "", given: str | None = None, shell: str = "sh", tickets: bool = True
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
        self.fleet: Fleet | None = None

    def to(self, host: Host) -> Any:
        error = self.broken(host)
        if error:
            raise error
        return SimpleNamespace(transport=SimpleNamespace(open_session=lambda: Channel(self.environment, self._shell)))

    def sudo_password(self, host: Host) -> Secret | None:
        return None if self._given is None else Secret(self._given)
