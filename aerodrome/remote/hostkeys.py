"""Host keys: the known ones, and how to add a new one."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
from shlex import quote
from typing import TYPE_CHECKING, Protocol

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from aerodrome.errors import HostError
from aerodrome.fleet.model import Host

if TYPE_CHECKING:
    from aerodrome.remote.connection import Connections


class KnownHosts(Protocol):
    """The store of host keys: the text of a known_hosts file, to which lines can be added."""

    def read(self) -> str: ...
    def add(self, line: str) -> None: ...


def parse_host_keys(text: str) -> HostKeys:
    """Parse a known_hosts file line by line: one marker (`@cert-authority`, `@revoked`) would fail the whole file."""
    keys = HostKeys()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith(("#", "@")):
            try:
                entry = HostKeyEntry.from_line(line.strip(), number)
            except (InvalidHostKey, paramiko.SSHException):
                continue
            if entry is not None and entry.key is not None:
                for name in entry.hostnames or []:
                    keys.add(name, entry.key.get_name(), entry.key)
    return keys


def known_name(host: Host) -> str:
    """Return the name of a host in known_hosts (sshd(8)): `[address]:port` if the port is not 22."""
    return host.address if host.port == 22 else f"[{host.address}]:{host.port}"


def fingerprint(key: paramiko.PKey) -> str:
    """Return a key's type and fingerprint as ssh-keygen -l prints them."""
    digest = base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
    return f"{key.get_name()} SHA256:{digest}"


def offered_key(connections: Connections, host: Host) -> paramiko.PKey:
    """Ask a host for its key without logging in, through its jump host if it has one.

    Raises HostError if the host cannot be reached.
    """
    try:
        if host.jump:
            gateway = connections.to(connections.fleet.hosts[host.jump])
            stream = gateway.transport.open_channel("direct-tcpip", (host.address, host.port), ("", 0))
        else:
            timeout = connections.fleet.ssh.connect_timeout
            stream = socket.create_connection((host.address, host.port), timeout=timeout)
        transport = paramiko.Transport(stream)
        try:
            _prefer_known(transport, connections, host)
            transport.start_client(timeout=connections.fleet.ssh.connect_timeout)
            return transport.get_remote_server_key()
        finally:
            transport.close()
    except (OSError, paramiko.SSHException, EOFError) as error:
        raise HostError(
            host.name, "trust-hosts", f"cannot connect to {host.address}:{host.port}: {error}", "is the host up?"
        ) from error


def _prefer_known(transport: paramiko.Transport, connections: Connections, host: Host) -> None:
    """Prefer known key types, as a login does: a host has one key of each type."""
    known = connections.host_keys.lookup(known_name(host))
    kinds = {"ssh-rsa": "rsa-sha2-512"}
    wanted = [kinds.get(kind, kind) for kind in (known or ())]
    options = transport.get_security_options()
    every = list(options.key_types)
    options.key_types = sorted(every, key=lambda kind: kind not in wanted)


def is_changed(connections: Connections, host: Host, key: paramiko.PKey) -> bool:
    """Tell whether known_hosts has keys of a host, but not the one it presents, so that logins fail."""
    known = connections.host_keys.lookup(known_name(host))
    return known is not None and known.get(key.get_name()) != key


def trust_anew(host: Host, known_hosts: str) -> str:
    """Return the command that removes a host's old key and shows the new one."""
    name, path = quote(known_name(host)), quote(os.path.expanduser(known_hosts))
    return f"ssh-keygen -R {name} -f {path} && fab -H {quote(host.name)} trust-hosts"


def add_host_key(connections: Connections, host: Host, key: paramiko.PKey) -> None:
    """Add a key to known_hosts."""
    connections.known_hosts.add(f"{known_name(host)} {key.get_name()} {key.get_base64()}")
    connections.host_keys.add(known_name(host), key.get_name(), key)
