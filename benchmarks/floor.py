"""The floor: log in to every host at once and run one bare command each, with Fabric and nothing else.

Its only argument is a JSON list of hosts: name, address, user, key, and jump (a name, or null).
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import fabric

HOSTS = {host["name"]: host for host in json.loads(sys.argv[1])}
locks = {name: Lock() for name in HOSTS}
opened: dict[str, fabric.Connection] = {}


def connect(name: str) -> fabric.Connection:
    """Return the open connection to a host, through its jump host if it has one."""
    host = HOSTS[name]
    with locks[name]:
        if name not in opened:
            gateway = connect(host["jump"]) if host["jump"] else None
            arguments = {"key_filename": [host["key"]], "look_for_keys": False}
            connection = fabric.Connection(
                host["address"], user=host["user"], gateway=gateway, connect_kwargs=arguments
            )
            connection.open()
            opened[name] = connection
        return opened[name]


def bare(name: str) -> int:
    """Run one command and return its exit status."""
    channel = connect(name).create_session()
    channel.exec_command("true")
    return int(channel.recv_exit_status())


with ThreadPoolExecutor(len(HOSTS)) as pool:
    statuses = list(pool.map(bare, HOSTS))
for connection in reversed(list(opened.values())):
    connection.close()
sys.exit(max(statuses))
