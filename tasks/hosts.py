"""The hosts themselves: their keys, and a command on each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import session

if TYPE_CHECKING:
    from aerodrome.fleet import Host


@task(help={"yes": "do not ask (you have compared the fingerprints by other means)"})
def trust_hosts(context: Any, yes: bool = False) -> None:
    """Show the fingerprints of hosts whose keys are not known yet, and add them to known_hosts."""
    from aerodrome.errors import InvalidInput
    from aerodrome.remote.hostkeys import add_host_key, fingerprint, offered_key
    from aerodrome.report.terminal import say

    with session(context) as run:
        for host in run.hosts:
            if run.connections.knows(host):
                say(f"{host.name}: known")
                continue
            key = offered_key(run.connections, host)
            say(f"{host.name}: {host.address} shows {fingerprint(key)}")
            if not yes:
                if not sys.stdin.isatty():
                    raise InvalidInput("there is no terminal to ask on", "compare the fingerprints, then add --yes")
                if input("Is it the right one? [y/N] ").strip().lower() not in ("y", "yes"):
                    say(f"{host.name}: left out")
                    continue
            add_host_key(run.connections, host, key)
            say(f"{host.name}: added to {run.fleet.ssh.known_hosts}")


@task(positional=["command"], help={"command": "a shell command, run as root"})
def run(context: Any, command: str) -> None:
    """Run a shell command on the hosts of -H (or all), as root; each line comes with its host."""
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.terminal import Prefixed

    with session(context) as begun:
        width = max(len(name) for name in begun.names)

        def one(host: Host) -> int:
            printer = Prefixed(host.name, width)
            output = run_script(begun.connections, host, f"exec 2>&1\n{command}", on_text=printer.read)
            printer.close()
            return output.status

        codes = each(begun.hosts, one, begun.fleet.deploy.parallel)
    sys.exit(max(codes.values()))
