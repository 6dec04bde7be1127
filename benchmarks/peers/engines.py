"""A deploy by each peer, as a command that can be measured."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.peers.tools import tool
from benchmarks.practice import Practice

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
