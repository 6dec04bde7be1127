"""`fab deploy` with nothing to do, against one bare SSH handshake and exec a host."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from aerodrome.controller import load
from aerodrome.resources.systemd import SETTLES
from benchmarks.measure import Command, alternate
from benchmarks.practice import PROJECT, Practice
from benchmarks.report import PAIR_HEADER, Section, pair_rows

FLOOR = Path(__file__).with_name("floor.py")


def nothing(fleet: Practice, pairs: int) -> Section:
    """Measure both by turns, on a fleet that is deployed."""
    # A unit that was started just now is looked at more closely: that is not what is measured here.
    time.sleep(SETTLES + 15)
    ours = fleet.fab("deploy", last="no changes")
    costs = alternate(ours, floor(fleet), pairs)
    rows = pair_rows(("fab deploy", "floor.py"), costs)
    goal = f"{pairs} pairs. Goal: at most 2 times the floor, and under 1.5 s."
    return Section("Nothing to do", goal, PAIR_HEADER, rows)


def floor(fleet: Practice) -> Command:
    """Return the floor's command for the hosts of hosts.yaml: the same users, keys and jump host."""
    hosts = [
        {"name": host.name, "address": host.address, "user": host.user, "key": host.key, "jump": host.jump}
        for host in load(str(fleet.hosts_yaml)).hosts.values()
    ]
    return Command((sys.executable, str(FLOOR), json.dumps(hosts)), PROJECT, dict(os.environ))
