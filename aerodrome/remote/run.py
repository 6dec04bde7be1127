"""Run a script on a host, as root: one channel, one exec."""

from __future__ import annotations

import codecs
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import paramiko

from aerodrome.errors import HostError
from aerodrome.fleet import Host
from aerodrome.remote.connection import Connections
from aerodrome.resources.base import quote

# The script comes first on stdin and is read to the byte (GNU head does not read ahead of what it was asked for),
# so that what follows is left on descriptor 3 for the script: argv holds neither a script nor a secret.
READ_SCRIPT = 'exec 3<&0; script=$(head -c {size} <&3) || exit; exec </dev/null; eval "$script"'

NO_PASSWORD, WRONG_PASSWORD = 96, 97

# Each call of sudo that checks the password takes as long as the whole of a probe: it is checked once, in a call that
# reads nothing else, and the ticket that sudo gives for it (it holds for children of this very shell) lets the script
# in. One try for a password that may be wrong: sudo would take the script as the next two tries. Where sudo gives no
# tickets (timestamp_timeout=0) it is asked again, with -k: only then is it sure that it reads the password.
SUDO = """\
IFS= read -r password
run={run}
if [ -z "$password" ]; then
sudo -n sh -c "$run"; status=$?
[ $status != 1 ] || sudo -n true 2>/dev/null || exit {no_password}
exit $status
fi
printf '%s\\n' "$password" | sudo -S -p '' true 2>/dev/null || exit {wrong_password}
if sudo -n true 2>/dev/null; then sudo -n sh -c "$run"; status=$?; sudo -k; exit $status; fi
{{ printf '%s\\n' "$password"; exec cat; }} | sudo -k -S -p '' sh -c "$run"
"""

PIECE = 1 << 18  # bytes: eight packets
SIGN_OF_LIFE = 15.0  # seconds between two dots on descriptor 3 of a script that is held

# Execs a host, for the guard that counts them.
execs: Counter[str] = Counter()


@dataclass
class Output:
    """What a script printed, and its exit status (-1: killed, or the connection broke)."""

    status: int = -1
    text: str = ""
    errors: str = ""


def run(
    connections: Connections,
    host: Host,
    script: str,
    payload: bytes = b"",
    on_text: Callable[[str], object] | None = None,
    hold: threading.Event | None = None,
) -> Output:
    """Run `script` as root on `host`, with `payload` on its descriptor 3; hand on its stdout as it comes.

    Where `on_text` returns True it has read enough: the rest is not waited for, and ends when it next prints.
    `hold` keeps descriptor 3 open until the event is set, or this side ends: a script can wait for that. Meanwhile it
    gets a dot every SIGN_OF_LIFE seconds, for an end of this side that nobody could tell it of.

    Raises HostError where the host cannot be reached, or sudo's password is missing or wrong.
    """
    text = script.encode("utf-8", "surrogateescape")
    command = READ_SCRIPT.format(size=len(text))
    if host.user != "root":
        password = connections.sudo_password(host)
        text = (password.reveal().encode() if password else b"") + b"\n" + text
        command = SUDO.format(run=quote(command), no_password=NO_PASSWORD, wrong_password=WRONG_PASSWORD)
    output = _exec(connections, host, f"exec sh -c {quote(command)}", (text, payload), on_text, hold)
    if host.user != "root" and output.status in (NO_PASSWORD, WRONG_PASSWORD):
        raise _sudo_error(host, output.status)
    return output


def _exec(
    connections: Connections,
    host: Host,
    command: str,
    data: Sequence[bytes],
    on_text: Callable[[str], object] | None,
    hold: threading.Event | None,
) -> Output:
    connection = connections.to(host)
    execs[host.name] += 1
    output, channel = Output(), None
    try:
        channel = connection.transport.open_session()
        channel.exec_command(command)
        errors = _read_beside(channel)
        sender = threading.Thread(target=_send, args=(channel, data, hold), daemon=True)
        sender.start()
        decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        while block := channel.recv(1 << 16):
            part = decode(block)
            output.text += part
            if on_text and on_text(part) is True:
                return output
        output.status = channel.recv_exit_status()
        errors.join()
        output.errors = errors.text
        return output
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise HostError(
            host.name, "connect", f"the connection broke: {error or type(error).__name__}", "run the same again"
        ) from error
    finally:
        if channel:
            channel.close()


class _read_beside(threading.Thread):
    """Read a channel's stderr while its stdout is read: either one, left full, would stop the other."""

    def __init__(self, channel: paramiko.Channel) -> None:
        super().__init__(daemon=True)
        self._channel = channel
        self.text = ""
        self.start()

    def run(self) -> None:
        blocks = []
        while block := self._channel.recv_stderr(1 << 16):
            blocks.append(block)
        self.text = b"".join(blocks).decode("utf-8", "replace")


def _send(channel: paramiko.Channel, data: Sequence[bytes], hold: threading.Event | None) -> None:
    try:
        for part in data:
            # In pieces: sendall() copies all that is left each time that it has sent a packet (paramiko 5).
            for start in range(0, len(part), PIECE):
                channel.sendall(part[start : start + PIECE])
        while hold and not hold.wait(SIGN_OF_LIFE):
            channel.sendall(b".")
        channel.shutdown_write()
    except OSError:
        pass  # the other side ended first; its exit status says why


def _sudo_error(host: Host, status: int) -> HostError:
    if status == NO_PASSWORD:
        return HostError(
            host.name,
            "sudo",
            f"sudo asks {host.user} for a password, and hosts.yaml has none",
            f"hosts.{host.name}.sudo_password: !env NAME (or !file, !command, !prompt)",
        )
    return HostError(
        host.name, "sudo", f"sudo refused the password of {host.user}", f"see hosts.{host.name}.sudo_password"
    )
