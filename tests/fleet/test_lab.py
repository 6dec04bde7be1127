"""The practice fleet itself: it leaves nothing behind."""

from __future__ import annotations

import subprocess

from lab.fleet import Lab


def traces(lab: Lab) -> str:
    """Return all that this machine has of a lab: processes, mounts, links, tables, folders."""
    marks = (f"aerodrome-lab/{lab.name}/", lab.layout.bridge, f"vb-{lab.name}", lab.layout.table)
    commands = ("ps -eo args", "cat /proc/mounts", "ip -o link", "nft list tables", "ls -d /var/lib/aerodrome-lab/*/")
    found = [
        line
        for command in commands
        for line in subprocess.run(command, shell=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S602
        if any(mark in line for mark in marks)
    ]
    return "\n".join(found)


def test_down_leaves_nothing_behind_and_both_can_be_said_twice() -> None:
    lab = Lab("bench")
    lab.down()
    lab.up(["db1", "worker1"])
    lab.up(["db1", "worker1"])
    assert lab.run("db1", "systemctl is-system-running").stdout == "running\n"
    assert lab.layout.bridge in traces(lab)

    lab.down()
    assert traces(lab) == ""
    lab.down()
