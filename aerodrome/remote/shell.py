"""Root's shell on a host: one channel, one exec. It reads the script that it runs from its stdin."""

from __future__ import annotations

import queue
import threading
from collections import Counter

import paramiko

from aerodrome.core.resource import quote
from aerodrome.fleet.model import Host
from aerodrome.remote.hold import Hold
from aerodrome.secrets import Secret

# The script comes first on stdin, after a line with its size, and is read to the exact byte (neither the shell's read
# nor GNU head reads ahead), so that the rest is left on descriptor 3 for the script: argv holds neither a script nor a
# secret. The first line that the script prints is its pid, so that a hanging script can be killed.
READ_SCRIPT = 'echo $$; exec 3<&0; IFS= read -r size <&3 && script=$(head -c "$size" <&3) || exit; exec </dev/null;'
READ_SCRIPT += ' eval "$script"'

NO_PASSWORD, WRONG_PASSWORD = 96, 97

# A sudo call that checks the password takes as long as a whole probe. So it is checked once, in a call that reads
# nothing else, and sudo's ticket (valid for children of this shell) admits the script. A wrong password gets one try:
# sudo would read the script as the next two. If sudo gives no tickets (timestamp_timeout=0), it is asked again with
# -k, which ensures that it reads the password.
SUDO = f"""\
IFS= read -r password
run={quote(READ_SCRIPT)}
if [ -z "$password" ]; then
sudo -n sh -c "$run"; status=$?
[ $status != 1 ] || sudo -n true 2>/dev/null || exit {NO_PASSWORD}
exit $status
fi
printf '%s\\n' "$password" | sudo -S -p '' true 2>/dev/null || exit {WRONG_PASSWORD}
if sudo -n true 2>/dev/null; then sudo -n sh -c "$run"; status=$?; sudo -k; exit $status; fi
{{ printf '%s\\n' "$password"; exec cat; }} | sudo -k -S -p '' sh -c "$run"
"""

OPEN_TIMEOUT = 60.0  # seconds until a channel must be open
POLL = 1.0  # seconds that a read may wait: between checks of a script's limits
PIECE = 1 << 18  # bytes: eight packets

# Execs per host, for the test that counts them.
execs: Counter[str] = Counter()


class Shell(threading.Thread):
    """A shell of root's that waits for its script. Once it has one, it ends with that.

    It has its own thread from the start: a host that does not even answer the request must not block the reader.

    Raises SSHException, OSError or EOFError if no channel can be opened. `error` is what has gone wrong since.
    """

    def __init__(self, transport: paramiko.Transport, host: Host, password: Secret | None) -> None:
        """Open a channel on `transport`, and start a shell: with sudo, and its `password`, if the login is not root."""
        super().__init__(daemon=True)
        self.channel: paramiko.Channel = transport.open_session(timeout=OPEN_TIMEOUT)
        self.channel.settimeout(POLL)
        self.error: Exception | None = None
        self._command = f"exec sh -c {quote(READ_SCRIPT if host.user == 'root' else SUDO)}"
        self._first = b"" if host.user == "root" else (password.reveal().encode() if password else b"") + b"\n"
        self._script: queue.SimpleQueue[tuple[bytes, bytes, Hold | None]] = queue.SimpleQueue()
        execs[host.name] += 1
        self.start()

    def run_script(self, script: bytes, payload: bytes = b"", hold: Hold | None = None) -> None:
        """Run `script` with `payload` on its descriptor 3, and return at once; `hold` as in run()."""
        self._script.put((b"%d\n%s" % (len(script), script), payload, hold))

    def run(self) -> None:
        """Start the shell and send what it reads, while its output is read."""
        try:
            self.channel.exec_command(self._command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.error = error
            self.channel.close()
            return
        try:
            self._send(self._first)
            script, payload, hold = self._script.get()
            self._send(script)
            self._send(payload)
            while hold and (more := hold.next()):
                self._send(more)
            self.channel.shutdown_write()
        except OSError:
            pass  # the other side ended first; its exit status says why

    def _send(self, data: bytes) -> None:
        # In pieces: after each packet, sendall() copies everything that is left (paramiko 5).
        for start in range(0, len(data), PIECE):
            self.channel.sendall(data[start : start + PIECE])
