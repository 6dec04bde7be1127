"""Run fab unchanged, and count what it asks of each host: python -m benchmarks.counted FILE TASK…

FILE receives a JSON object: host → what was counted → how often.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import paramiko
from fabric.main import program
from paramiko import common

from aerodrome.fleet.model import Host
from aerodrome.remote.connection import Connections

# The messages after which a client waits for the server (RFC 4253, 4252, 4254), so one round trip each; 30 is used by
# every Diffie-Hellman exchange (RFC 8731).
ROUND_TRIPS = {
    common.MSG_KEXINIT: "key exchanges",
    30: "key exchanges",
    common.MSG_SERVICE_REQUEST: "authentication",
    common.MSG_USERAUTH_REQUEST: "authentication",
    common.MSG_CHANNEL_OPEN: "channels",
    common.MSG_CHANNEL_REQUEST: "execs",
}


def count(arguments: list[str]) -> dict[str, Counter[str]]:
    """Run fab with these arguments and return what was counted, by host."""
    of_transport: dict[paramiko.Transport, Counter[str]] = {}
    of_host: dict[str, Counter[str]] = {}
    # Private methods, which paramiko's types omit.
    transports: Any = paramiko.Transport
    clients: Any = paramiko.SFTPClient
    send, request, connect = transports._send_message, clients._async_request, Connections._connect

    def counted_send(transport: paramiko.Transport, message: Any) -> None:
        counts = of_transport.setdefault(transport, Counter())
        if what := ROUND_TRIPS.get(message.asbytes()[0]):
            counts[what] += 1
            counts["round trips"] += 1
        send(transport, message)

    def counted_request(client: paramiko.SFTPClient, *arguments: Any) -> Any:
        of_transport[client.sock.get_transport()]["SFTP requests"] += 1
        return request(client, *arguments)

    def counted_connect(connections: Connections, host: Host, *arguments: Any) -> Any:
        connection = connect(connections, host, *arguments)
        counts = of_transport[connection.transport]
        counts["connections"] += 1
        of_host.setdefault(host.name, counts)
        return connection

    transports._send_message = counted_send
    clients._async_request = counted_request
    Connections._connect = counted_connect  # type: ignore[method-assign, assignment]
    sys.argv = ["fab", *arguments]
    try:
        program.run(exit=False)
    except SystemExit as ended:
        if ended.code:
            raise
    return of_host


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(count(sys.argv[2:]), indent=1))
