"""The practice fleet itself leaves nothing behind."""

from __future__ import annotations

import subprocess

import pytest

from lab.errors import LabError
from lab.fleet import Lab


def traces(lab: Lab) -> str:
    """Return all traces of a lab on this machine: processes, mounts, links, tables, folders."""
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


def test_clones_begin_with_what_their_source_has_become_and_are_hosts_of_their_own() -> None:
    lab = Lab("bench")
    lab.down()
    lab.up(["db1"])
    try:
        lab.run("db1", "echo kept >/root/file; systemctl disable ssh.socket")
        with pytest.raises(LabError, match="db1 is up"):
            lab.clone("db1", ["many1"])
        lab.down_host("db1")
        for _ in range(2):
            lab.clone("db1", ["many1", "many2"])
            for name in ("many1", "many2"):
                seen = lab.run(name, "hostname; cat /root/file; systemctl is-system-running; ip -br -4 address").stdout
                assert seen.split()[:3] == [name, "kept", "running"]
                assert lab.address(name) in seen
            lab.run("many1", "echo own >/root/file")
            assert lab.run("many2", "cat /root/file").stdout == "kept\n"
            lab.remove(["many1", "many2"])
            assert "many1" not in [host.name for host in lab.status()]
        lab.up_host("db1")
        assert lab.run("db1", "cat /root/file").stdout == "kept\n"
    finally:
        lab.down()
    assert traces(lab) == ""
