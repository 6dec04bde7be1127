"""SSH connections to the fleet: one per host and run, with host keys checked."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import fabric
import paramiko
from invoke.exceptions import Exit
from paramiko.ssh_exception import NoValidConnectionsError

from aerodrome.errors import HostError
from aerodrome.fleet.model import Fleet, Host
from aerodrome.remote.hostkeys import KnownHosts, known_name, parse_host_keys, trust_anew
from aerodrome.remote.shell import Shell
from aerodrome.remote.transport import keep_asking, prompt_transport
from aerodrome.secrets import Reference, Secret, SecretValue

# Paramiko's threads log tracebacks of errors that we report in one line.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

# A draining worker is silent for as long as its tasks run. Keepalives stop firewalls from dropping the connection and
# detect a lost host: the kernel alone would wait for it for 15 minutes or longer.
KEEPALIVE = 10.0  # seconds of silence until a keepalive is sent
LOST = 45.0  # seconds without any sign of life until a host is given up
WATCH = 2.0  # seconds between checks of all connections
# Paramiko 5 has a thread per connection, which wakes ten times a second to see whether it should end or send a
# keepalive. With 500 connections, that is a third of a run's CPU time. Closing the socket wakes it at once.
IDLE = 5.0  # seconds


class Connections:
    """Open and keep the connections of one run; `password` looks up a host's sudo password."""

    def __init__(self, fleet: Fleet, password: Callable[[SecretValue], Secret], known_hosts: KnownHosts) -> None:
        self.fleet = fleet
        self.known_hosts = known_hosts
        self._password = password
        self._open: dict[str, fabric.Connection] = {}
        self._locks = {name: threading.Lock() for name in fleet.hosts}
        self._refused: dict[str, Exception] = {}  # why a connection that was started early failed
        self._starting = {name: threading.Lock() for name in fleet.hosts}
        self._shells: dict[str, Shell] = {}  # started early: the first script on each host takes its own
        self._lost: set[str] = set()
        self._watching: threading.Event | None = None  # set to end the watch
        self.host_keys = parse_host_keys(known_hosts.read())

    def to(self, host: Host) -> fabric.Connection:
        """Return the open connection to `host`, through its jump host if it has one.

        Raises HostError if the host cannot be reached, or its host key does not match.
        """
        with self._locks[host.name]:
            if error := self._refused.pop(host.name, None):
                raise error
            return self._to(host)

    def begin(self, hosts: Sequence[Host]) -> None:
        """Start connecting to hosts and root's shell on each, and return at once: this is mostly waiting.

        sudo alone takes as long to check a password as a host takes to answer its first question. A host that cannot
        be reached is an error once `to` asks for its connection; it is not tried twice. Connections that are never
        asked for are not waited for.
        """
        jumps = {host.jump for host in hosts}
        # Hosts that others connect through come first, then those where sudo has a password to check.
        slowest = sorted(hosts, key=lambda host: (host.name not in jumps, host.sudo_password is None))
        for host in slowest[: self.fleet.deploy.parallel]:
            threading.Thread(target=self._start, args=(host,), daemon=True).start()

    def _start(self, host: Host) -> None:
        with self._starting[host.name]:
            with self._locks[host.name]:
                try:
                    connection = self._to(host)
                except Exception as error:
                    self._refused[host.name] = error
                    return
            # Connections through this host do not wait for its shell.
            with suppress(Exception):  # which will be raised again, and reported, when the host is asked
                if not _typed(host.sudo_password):
                    self._shells[host.name] = Shell(connection.transport, host, self.sudo_password(host))

    def shell(self, host: Host) -> Shell | None:
        """Return the shell on `host` that was started early, once; wait for it if it is being started."""
        if _typed(host.sudo_password):  # the operator can type while the connection is being made
            return None
        with self._starting[host.name]:
            return self._shells.pop(host.name, None)

    def _to(self, host: Host) -> fabric.Connection:
        if host.name not in self._open:
            gateway = self._through(host)
            self._open[host.name] = self._connect(host, gateway)
            self._watch()
        return self._open[host.name]

    def _through(self, host: Host) -> fabric.Connection | None:
        if host.jump is None:
            return None
        try:
            with self._locks[host.jump]:
                if error := self._refused.get(host.jump):  # which will also be raised for the jump host itself
                    raise error
                return self._to(self.fleet.hosts[host.jump])
        except HostError as error:
            raise HostError(host.name, error.step, f"its jump host {host.jump}: {error.message}", error.hint) from error

    def lost(self, host: Host) -> str:
        """Return why a host was given up (no sign of life), or an empty string."""
        gone = host.name in self._lost or (host.jump is not None and host.jump in self._lost)
        return f"no sign of life for {LOST:.0f} s" if gone else ""

    def _watch(self) -> None:
        """Start watching the connections, with one thread for all of them."""
        if self._watching is None:
            self._watching = threading.Event()
            threading.Thread(target=self._give_up_the_lost, args=(self._watching,), daemon=True).start()

    def _give_up_the_lost(self, over: threading.Event) -> None:
        while not over.wait(WATCH):
            for name, connection in list(self._open.items()):
                stream = connection.transport and connection.transport.sock
                if name not in self._lost and stream and time.monotonic() - stream.heard > LOST:
                    self._lost.add(name)
                    # paramiko's threads wake, and every script on this connection ends.
                    with suppress(OSError, EOFError, paramiko.SSHException):
                        stream.close()

    def sudo_password(self, host: Host) -> Secret | None:
        """Return the sudo password of `host`, if hosts.yaml has one."""
        return None if host.sudo_password is None else self._password(host.sudo_password)

    def knows(self, host: Host) -> bool:
        """Tell whether known_hosts has a key of `host`, matching or not."""
        return self.host_keys.lookup(known_name(host)) is not None

    def close(self) -> None:
        """Close all connections, those through jump hosts first."""
        if self._watching:
            self._watching.set()
            self._watching = None
        for connection in reversed(list(self._open.values())):
            connection.close()
        self._open.clear()

    def _connect(self, host: Host, gateway: fabric.Connection | None) -> fabric.Connection:
        arguments: dict[str, object] = {"key_filename": [os.path.expanduser(host.key)]} if host.key else {}
        # Use only the named key: trying more keys could end in “too many authentication failures”.
        arguments["look_for_keys"] = host.key is None
        arguments["transport_factory"] = prompt_transport
        connection = fabric.Connection(
            host.address,
            user=host.user,
            port=host.port,
            gateway=gateway,
            connect_timeout=self.fleet.ssh.connect_timeout,
            connect_kwargs=arguments,
            config=fabric.Config(overrides={"load_ssh_configs": False}),
        )
        # Fabric 3.2.3 accepts any host key and never reads known_hosts (fabric#1804, #2071, #2138).
        connection.client._host_keys = self.host_keys
        connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        try:
            connection.open()
        except (OSError, EOFError, paramiko.SSHException, ValueError, Exit) as error:
            raise _explain(host, error, self.fleet.ssh.known_hosts) from error
        keep_asking(connection.transport, KEEPALIVE)
        # For hosts that connect through this one: paramiko's default is an hour.
        connection.transport.channel_timeout = self.fleet.ssh.connect_timeout
        connection.transport.sock.settimeout(IDLE)
        return connection


def _typed(password: SecretValue | None) -> bool:
    """Tell whether the operator is asked for a password, which must not happen in the background."""
    return isinstance(password, Reference) and password.kind == "prompt"


def _explain(host: Host, error: Exception, known_hosts: str) -> HostError:
    """Turn paramiko's error into one that says which host, what is wrong and what to do."""
    where = f"{host.user}@{host.address}:{host.port}"
    if isinstance(error, paramiko.BadHostKeyException):
        return HostError(
            host.name,
            "connect",
            f"the host key of {host.address} does not match known_hosts: "
            f"the host presents {error.key.get_name()} {error.key.fingerprint}",
            f"if the machine was reinstalled: {trust_anew(host, known_hosts)}",
        )
    if isinstance(error, paramiko.AuthenticationException):
        hint = f"try: ssh -p {host.port} {host.user}@{host.address}; check user and key in hosts.yaml"
        return HostError(host.name, "connect", f"login as {where} was refused", hint)
    if "not found in known_hosts" in str(error):
        hint = f"check its fingerprint and add it: fab -H {host.name} trust-hosts"
        return HostError(host.name, "connect", f"the host key of {host.address} is unknown", hint)
    if isinstance(error, FileNotFoundError):
        return HostError(host.name, "connect", f"there is no key file {host.key}", "check key in hosts.yaml")
    if isinstance(error, TimeoutError | socket.timeout):
        reason = "no answer in time"
    elif isinstance(error, NoValidConnectionsError):
        # It holds the actual reason for each address of the name.
        reason = ", ".join(sorted({str(getattr(one, "strerror", one)) for one in error.errors.values()}))
    else:
        reason = str(error).strip() or type(error).__name__
    hint = "is the host up, and its address in hosts.yaml correct?"
    return HostError(host.name, "connect", f"cannot connect to {where}: {reason}", hint)
