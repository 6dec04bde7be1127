"""Run a script on a host, as root: one channel, one exec."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import fabric
import paramiko

from aerodrome.dataclass import dataclass
from aerodrome.errors import HostError
from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections
from aerodrome.remote.hold import Hold
from aerodrome.remote.limits import STDERR_KEPT, ConnectionBroke, Limit, LimitExceeded
from aerodrome.remote.shell import NO_PASSWORD, POLL, WRONG_PASSWORD, Shell
from aerodrome.secrets import Secret

# Kill a process and all of its descendants, parents first.
END = """\
end() {{
set -- "$1" $(cat "/proc/$1/task/"*/children)
kill -9 "$1"; shift
for child; do end "$child"; done
}}
end {pid} 2>/dev/null
"""

QUIET, LINGER = 3.0, 30.0  # seconds that processes left behind by a script may be silent, or go on printing
END_TIMEOUT = 15.0  # seconds


@dataclass(frozen=True)
class Output:
    """A script's output and exit status (-1: killed). Of stderr, only the end is kept."""

    status: int = -1
    text: str = ""
    errors: str = ""


def run(
    connections: Connections,
    host: Host,
    script: str,
    payload: bytes = b"",
    on_text: Callable[[str], object] | None = None,
    hold: Hold | None = None,
    *,
    limit: Limit | None = None,
    keep: bool = True,
    on_errors: Callable[[str], object] | None = None,
) -> Output:
    """Run `script` as root on `host`, with `payload` on its descriptor 3; pass on its stdout as it arrives.

    If `on_text` returns True, it has read enough: the rest is not waited for, and ends when it next prints.
    `hold` keeps descriptor 3 open until it is released or this side ends, which a script can wait for.
    `limit` defaults to that of a question. Without `keep`, output is only passed on. `on_errors` receives stderr.

    Raises HostError if the host cannot be reached or the sudo password is missing or wrong; LimitExceeded if the
    script was killed because it took too long or printed too much.
    """
    limit = limit or Limit.question(connections.fleet.deploy)
    session = _Session(connections, host, limit, on_text, keep, on_errors)
    output = session.exec(script.encode("utf-8", "surrogateescape"), payload, hold)
    if host.user != "root" and output.status in (NO_PASSWORD, WRONG_PASSWORD):
        raise _sudo_error(host, output.status)
    return output


class _Session:
    """One exec on one channel."""

    def __init__(
        self,
        connections: Connections,
        host: Host,
        limit: Limit,
        on_text: Callable[[str], object] | None,
        keep: bool,
        on_errors: Callable[[str], object] | None,
    ) -> None:
        self._connections, self._host, self._limit = connections, host, limit
        self._on_text, self._keep, self._on_errors = on_text, keep, on_errors
        self._parts: list[str] = []
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._pid = _Pid()

    def exec(self, script: bytes, payload: bytes, hold: Hold | None) -> Output:
        """Run a script and return what it printed."""
        early = self._connections.shell(self._host)
        password = None if early or self._host.user == "root" else self._connections.sudo_password(self._host)
        connection = self._connections.to(self._host)
        shell = early or self._open(connection, password)
        channel = shell.channel
        try:
            shell.run_script(script, payload, hold)
            errors = _Errors(channel, self._limit, self._on_errors)
            enough = self._read(channel)
            if enough:
                return Output(-1, "".join(self._parts))
            status = self._status(channel)
            if status == -1 and (shell.error or not connection.transport.is_active()):
                raise ConnectionBroke(self._host.name, self._why(connection, shell.error))
            errors.join(POLL)
            return Output(status, "".join(self._parts), errors.text())
        finally:
            channel.close()

    def _open(self, connection: fabric.Connection, password: Secret | None) -> Shell:
        try:
            return Shell(connection.transport, self._host, password)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise ConnectionBroke(self._host.name, self._why(connection, error)) from error

    def _why(self, connection: fabric.Connection, error: Exception | None) -> str:
        return self._connections.lost(self._host) or str(error or "") or type(error).__name__

    def _read(self, channel: paramiko.Channel) -> bool:
        """Read stdout until it ends, or until the script has ended and processes that it left behind are quiet.

        Return True if `on_text` has read enough.
        """
        ended = None  # when the script ended: a process that it left behind may keep stdout open forever
        quiet_since = time.monotonic()
        while True:
            block = _receive(channel)
            now = time.monotonic()
            if block == b"":
                return False
            if block is not None:
                quiet_since = now
                if self._take(block):
                    return True
            if ended is None and channel.exit_status_ready():
                ended = quiet_since = now
            if ended is not None and (now - quiet_since > QUIET or now - ended > LINGER):
                return False
            if ended is None:
                self._check(channel)

    def _status(self, channel: paramiko.Channel) -> int:
        """Wait for the exit status: a script may have closed its stdout long before it ends."""
        while not channel.exit_status_ready():
            channel.status_event.wait(POLL)
            self._check(channel)
        return channel.recv_exit_status()

    def _check(self, channel: paramiko.Channel) -> None:
        if why := self._limit.exceeded():
            self._end_there(channel)
            raise LimitExceeded(self._host.name, "", why)

    def _take(self, block: bytes) -> bool:
        """Process a part of stdout; tell whether `on_text` has read enough."""
        self._limit.printed(len(block))
        text = self._pid.without(self._decode(block))
        if self._keep:
            self._parts.append(text)
        return bool(text and self._on_text and self._on_text(text) is True)

    def _end_there(self, channel: paramiko.Channel) -> None:
        """Kill the script on the host, as it may hold the host's lock; if the host does not let us, leave it."""
        channel.close()
        if self._pid.number:
            limit = Limit(END_TIMEOUT, 1)
            with suppress(HostError):
                run(self._connections, self._host, END.format(pid=self._pid.number), limit=limit)


class _Pid:
    """The first line of a script's output: the pid of its shell."""

    def __init__(self) -> None:
        self.number = 0
        self._line: str | None = ""

    def without(self, text: str) -> str:
        """Return a part of the output, without the line of the pid."""
        if self._line is None:
            return text
        self._line += text
        line, newline, rest = self._line.partition("\n")
        if not newline and len(line) < 20:
            return ""
        if newline and line.isdecimal() and line.isascii() and len(line) < 20:
            self.number = int(line)
        else:  # not our pid: sudo's wrapper printed something
            rest = self._line
        self._line = None
        return rest


def _receive(channel: paramiko.Channel) -> bytes | None:
    """Return the next part of stdout; b"" at its end, None if none has arrived for a while."""
    try:
        return channel.recv(1 << 16)
    except TimeoutError:
        return None
    except (OSError, EOFError):
        return b""


class _Errors(threading.Thread):
    """Read a channel's stderr along with its stdout: either one, if full, would block the other."""

    def __init__(self, channel: paramiko.Channel, limit: Limit, on_errors: Callable[[str], object] | None) -> None:
        super().__init__(daemon=True)
        self._channel, self._limit, self._on_errors = channel, limit, on_errors
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._last = b""
        self.start()

    def run(self) -> None:
        while True:
            try:
                block = self._channel.recv_stderr(1 << 16)
            except TimeoutError:
                continue
            except (OSError, EOFError):
                return
            if not block:
                return
            self._limit.printed(len(block))
            if self._on_errors:
                self._on_errors(self._decode(block))
            self._last = (self._last + block)[-STDERR_KEPT:]

    def text(self) -> str:
        """Return the end of what was printed."""
        return self._last.decode("utf-8", "replace")


def _sudo_error(host: Host, status: int) -> HostError:
    if status == NO_PASSWORD:
        return HostError(
            host.name,
            "sudo",
            f"sudo asks {host.user} for a password, and hosts.yaml has none",
            f"hosts.{host.name}.sudo_password: !env NAME (or !file, !command, !prompt)",
        )
    return HostError(
        host.name, "sudo", f"sudo rejected the password of {host.user}", f"check hosts.{host.name}.sudo_password"
    )
