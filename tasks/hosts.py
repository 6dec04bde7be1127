"""The hosts themselves: their keys, and a command on each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import task

from tasks.session import Session, session

if TYPE_CHECKING:
    from paramiko import PKey

    from aerodrome.fleet.model import Host


@task(help={"yes": "do not ask (only after you have verified the fingerprints in another way)"})
def trust_hosts(context: Any, yes: bool = False) -> None:
    """Show the fingerprints of hosts whose keys are not known yet, and add them to known_hosts.

    A key that has changed is never replaced, not even with --yes.

    Examples:
      fab trust-hosts
      fab -H worker3 trust-hosts --yes    # after verifying its fingerprint in another way
    """
    from aerodrome.errors import FleetError, HostError
    from aerodrome.remote.hostkeys import offered_key

    failures: list[HostError] = []
    with session(context) as run:
        for host in _jump_hosts_first(run):
            try:
                _trust(run, host, offered_key(run.connections, host), yes)
            except HostError as error:
                failures.append(error)
    if failures:
        raise FleetError(failures)


def _jump_hosts_first(run: Session) -> list[Host]:
    """Return the selected hosts, jump hosts first."""

    def depth(host: Host) -> int:
        return 1 + depth(run.fleet.hosts[host.jump]) if host.jump else 0

    return sorted(run.hosts, key=depth)


def _trust(run: Session, host: Host, key: PKey, yes: bool) -> None:
    """Compare a host's key with the known one, or add it after confirmation."""
    from aerodrome.errors import HostError
    from aerodrome.remote.hostkeys import add_host_key, fingerprint, is_changed, trust_anew
    from aerodrome.report.terminal import say

    shown, known_hosts = f"{host.address} presents {fingerprint(key)}", run.fleet.ssh.known_hosts
    if is_changed(run.connections, host, key):
        raise HostError(
            host.name,
            "trust-hosts",
            f"{shown}, which does not match {known_hosts}",
            f"if the machine was reinstalled: {trust_anew(host, known_hosts)}",
        )
    if run.connections.knows(host):
        say(f"{host.name}: known")
        return
    say(f"{host.name}: {shown}")
    if yes or _is_right(host):
        add_host_key(run.connections, host, key)
        say(f"{host.name}: added to {known_hosts}")
    else:
        say(f"{host.name}: not added")


def _is_right(host: Host) -> bool:
    """Ask whether the fingerprint is right; raises InvalidInput if nobody can answer."""
    from aerodrome.errors import InvalidInput

    hint = "verify the fingerprints, then add --yes"
    if not sys.stdin.isatty():
        raise InvalidInput("cannot ask without a terminal", hint)
    try:
        return input("Trust this key? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print(file=sys.stderr)
        raise InvalidInput(f"no answer: the key of {host.name} was not added", hint) from None


@task(positional=["command"], help={"command": "a shell command, run as root"})
def run(context: Any, command: str) -> None:
    """Run a shell command on all hosts, or those of -H, as root; each output line starts with its host.

    Examples:
      fab run uptime
      fab -H @worker run 'df -h /var /tmp'
      fab -H sched1,web1 run 'journalctl -p err --since -1h'
    """
    from aerodrome.remote.limits import Limit
    from aerodrome.remote.parallel import each
    from aerodrome.remote.run import run as run_script
    from aerodrome.report.output import Prefixed, waiting_for

    with session(context) as begun:
        width = max(len(name) for name in begun.names)
        printers = {name: Prefixed(name, width) for name in begun.names}

        def one(host: Host) -> int:
            printer = printers[host.name]
            script = f"exec 2>&1 3<&-\n{command}"
            output = run_script(begun.connections, host, script, on_text=printer.read, limit=Limit.stream(), keep=False)
            printer.close()
            return output.status

        codes = each(begun.hosts, one, begun.fleet.deploy.parallel, waiting_for("the command"))
    for printer in printers.values():
        printer.check()
    sys.exit(max(codes.values()))
