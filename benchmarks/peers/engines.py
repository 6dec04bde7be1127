"""Deploys with each peer, as commands that can be measured."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.kit import SCRIPT, pack
from benchmarks.measure import Command, Cost, Failed
from benchmarks.peers.same import ANSIBLE, BY_HAND, MayDiffer
from benchmarks.practice import PROJECT, Practice, operators
from benchmarks.tools import tool

HERE = Path(__file__).resolve().parent


def ansible(fleet: Practice, place: Path, *options: str, **environment: str) -> Command:
    """Return a run of the playbook."""
    bin = tool("ansible") / "bin"
    argv = (str(bin / "ansible-playbook"), "-i", str(place / "inventory.json"), "site.yml", *options)
    folder = HERE / "ansible"
    path = f"{bin}:{os.environ['PATH']}"
    # A socket's path is limited to 108 bytes, and the fleet's directory may be deep.
    settings = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PATH": path}
    return Command(argv, folder, {**_inherited(), **settings, **environment})


def ansible_pip(fleet: Practice, place: Path) -> Command:
    """Return a run of the playbook that installs with pip, as Ansible users do."""
    return ansible(fleet, place, "-e", "airflow_installer=pip")


def ansible_pipelining(fleet: Practice, place: Path) -> Command:
    """Return a run of the playbook with pipelining: modules are sent over the session that runs them."""
    return ansible(fleet, place, ANSIBLE_PIPELINING="True")


def ansible_mitogen(fleet: Practice, place: Path) -> Command:
    """Return a run of the playbook with mitogen's strategy: one interpreter per host for all modules."""
    plugins = next((tool("ansible") / "lib").glob("python3*/site-packages/ansible_mitogen/plugins/strategy"))
    return ansible(fleet, place, ANSIBLE_STRATEGY_PLUGINS=str(plugins), ANSIBLE_STRATEGY="mitogen_linear")


def pyinfra(fleet: Practice, place: Path) -> Command:
    """Return a run of the deploy."""
    folder = HERE / "pyinfra"
    argv = (str(tool("pyinfra") / "bin" / "pyinfra"), "-y", "inventory.py", "deploy.py")
    return Command(argv, folder, {**_inherited(), "PEERS": str(place)})


def by_hand(fleet: Practice, place: Path, what: str) -> Command:
    """Return a run of the operator's script: the `first` deploy of bare hosts, or a `change` of a node's files."""
    arguments = (fleet.folder / "ssh_config", fleet.folder / "sudo-password", pack(fleet), what)
    return Command(("sh", str(SCRIPT), *map(str, arguments)), PROJECT, dict(os.environ), last="done")


def _inherited() -> dict[str, str]:
    return {name: value for name, value in operators().items() if not name.startswith("ANSIBLE_")}


Way = Callable[[Practice, Path], Command]


@dataclass(frozen=True)
class Peer:
    """A way to deploy: its command for each measurement, and the additional things that it may leave on hosts."""

    name: str
    ways: Mapping[str, Way]  # by the measurement's name on the command line
    may: Sequence[MayDiffer] = ()


PEERS = (
    Peer(
        "by-hand",
        {
            **dict.fromkeys(("same", "first", "cold"), partial(by_hand, what="first")),
            "change": partial(by_hand, what="change"),
        },
        BY_HAND,
    ),
    Peer("pyinfra", dict.fromkeys(("same", "first", "cold", "nothing", "change"), pyinfra)),
    Peer("ansible", dict.fromkeys(("same", "first", "cold", "nothing", "change"), ansible), ANSIBLE),
    # Ansible's own playbook; on bare hosts, its time goes into installing.
    Peer("ansible-pipelining", dict.fromkeys(("same", "nothing"), ansible_pipelining), ANSIBLE),
    # With nothing to do, it would look for a pip that Aerodrome's environment does not have.
    Peer("ansible-pip", dict.fromkeys(("same", "first", "cold"), ansible_pip), ANSIBLE),
    # Not on bare hosts: the apt module installs python3-apt for itself, but cannot import it in the interpreter that
    # mitogen keeps ("Could not import the python3-apt module", mitogen 0.3.54 with ansible-core 2.19.14). So `ansible`
    # has to run first, as here: it leaves that package installed.
    Peer("ansible-mitogen", {"nothing": ansible_mitogen}, ANSIBLE),
)

# As in Ansible's recap, and in pyinfra's line for a host on which an operation changed something.
CHANGED = re.compile(r"^\s+\[\S+\]\s+(Success|Error)|\bchanged=[1-9]|\bfailed=[1-9]|\bunreachable=[1-9]")


def commands(fleet: Practice, peers: Sequence[Peer], part: str, place: Path) -> dict[str, Command]:
    """Return, by name, the command with which each peer in a measurement deploys the files laid out in `place`."""
    return {peer.name: peer.ways[part](fleet, place) for peer in peers if part in peer.ways}


def unchanged(cost: Cost) -> None:
    """Raise Failed if a run reports a change, because then it did more than look."""
    if any(CHANGED.search(line) for _, line in cost.lines):
        raise Failed("there was something to do:\n" + "\n".join(line for _, line in cost.lines[-60:]))
