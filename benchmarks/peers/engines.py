"""A deploy by each peer, as a command that can be measured."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Command, Cost, Failed
from benchmarks.peers.same import ANSIBLE, MayDiffer
from benchmarks.practice import Practice
from benchmarks.tools import tool

HERE = Path(__file__).resolve().parent


def ansible(fleet: Practice, place: Path, *options: str, **environment: str) -> Command:
    """Return a run of the playbook."""
    bin = tool("ansible") / "bin"
    argv = (str(bin / "ansible-playbook"), "-i", str(place / "inventory.json"), "site.yml", *options)
    folder = HERE / "ansible"
    path = f"{bin}:{os.environ['PATH']}"
    # A socket's path holds 108 bytes, and the fleet's folder may be deep.
    settings = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PATH": path}
    return Command(argv, folder, {**_inherited(), **settings, **environment})


def ansible_pipelining(fleet: Practice, place: Path) -> Command:
    """Return a run of the playbook that sends each module over the session that runs it."""
    return ansible(fleet, place, ANSIBLE_PIPELINING="True")


def ansible_mitogen(fleet: Practice, place: Path) -> Command:
    """Return a run of the playbook with mitogen's strategy: one interpreter a host, all modules in it."""
    plugins = next((tool("ansible") / "lib").glob("python3*/site-packages/ansible_mitogen/plugins/strategy"))
    return ansible(fleet, place, ANSIBLE_STRATEGY_PLUGINS=str(plugins), ANSIBLE_STRATEGY="mitogen_linear")


def pyinfra(fleet: Practice, place: Path) -> Command:
    """Return a run of the deploy."""
    folder = HERE / "pyinfra"
    argv = (str(tool("pyinfra") / "bin" / "pyinfra"), "-y", "inventory.py", "deploy.py")
    return Command(argv, folder, {**_inherited(), "PEERS": str(place)})


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AERODROME_"))}


@dataclass(frozen=True)
class Peer:
    """A way to deploy, and what it may leave beside what Aerodrome leaves."""

    name: str
    command: Callable[[Practice, Path], Command]
    may: Sequence[MayDiffer] = ()


PEERS = (
    Peer("pyinfra", pyinfra),
    Peer("ansible-mitogen", ansible_mitogen, ANSIBLE),
    Peer("ansible-pipelining", ansible_pipelining, ANSIBLE),
    Peer("ansible", ansible, ANSIBLE),
)

# As Ansible's recap has it, and pyinfra's line for a host whose operation did something.
CHANGED = re.compile(r"^\s+\[\S+\]\s+(Success|Error)|\bchanged=[1-9]|\bfailed=[1-9]|\bunreachable=[1-9]")


def commands(fleet: Practice, peers: Sequence[Peer], place: Path) -> dict[str, Command]:
    """Return each peer's deploy of what is laid out in `place`, by its name."""
    return {peer.name: peer.command(fleet, place) for peer in peers}


def unchanged(cost: Cost) -> None:
    """Raise Failed where a run says that it changed something: it then did more than look."""
    if any(CHANGED.search(line) for _, line in cost.lines):
        raise Failed("there was something to do:\n" + "\n".join(line for _, line in cost.lines[-60:]))
