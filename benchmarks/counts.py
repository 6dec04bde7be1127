"""Count what a deploy with nothing to do asks of each host; counts do not depend on a machine's speed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from aerodrome.core.plan import probe_script
from aerodrome.core.resource import quote
from benchmarks.measure import Command, Failed
from benchmarks.practice import PROJECT, Practice
from benchmarks.report import Section
from benchmarks.wanted import inputs_of, steps
from lab.fleet import Lab

WHATS = (
    "connections", "key exchanges", "authentication", "channels", "execs", "SFTP requests", "round trips",
    "processes of the probe",
)  # fmt: skip
Counts = Mapping[str, Mapping[str, int]]  # host → what → how often


def counted(fleet: Practice) -> Section:
    """Count the requests to a deployed fleet."""
    found = counts(fleet.lab, fleet.hosts_yaml, fleet.environment())
    rows = tuple((host, *(str(found[host].get(what, 0)) for what in WHATS)) for host in found)
    note = (
        "Of one `fab deploy` with nothing to do. A round trip is a message after which the controller waits; the first "
        "connection of TCP itself is one more. A channel that carries another host's connection is its jump host's."
    )
    return Section("What is asked of each host", note, ("", *WHATS), rows)


def counts(lab: Lab, hosts_yaml: Path, environment: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the counts by host, sorted by name."""
    file = hosts_yaml.with_name("counts.json")
    argv = (sys.executable, "-m", "benchmarks.counted", str(file), "deploy")
    Command(argv, PROJECT, environment, last="no changes").run()
    found: dict[str, dict[str, int]] = json.loads(file.read_text())
    scripts = probes(hosts_yaml)
    return {
        host: {**found[host], "processes of the probe": processes(lab, host, scripts[host])} for host in sorted(scripts)
    }


def probes(hosts_yaml: Path) -> dict[str, str]:
    """Return the probe that a deploy first sends to each host."""
    found = steps(inputs_of(hosts_yaml))
    return {host: probe_script(own, os.urandom(6).hex()) for host, own in found.items()}


def processes(lab: Lab, host: str, script: str) -> int:
    """Return how many processes and threads a script creates on a host.

    It runs in its own process namespace (unshare(1)), where processes are numbered from 1: the last number is the
    count.
    """
    inner = f"({script}) >/dev/null 2>&1\nsh -c 'echo $$'"
    done = lab.run(host, f"unshare --pid --fork --mount-proc sh -c {quote(inner)}")
    if done.returncode:
        raise Failed(f"{host}: the processes of the probe cannot be counted: {done.stderr.strip()}")
    return int(done.stdout) - 3  # the shell, the subshell, and the last one
