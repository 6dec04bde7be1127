"""The peers' input: exactly the files that `fab deploy` writes, as a directory, an inventory and variables."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from aerodrome.components.inputs import Inputs
from aerodrome.core.resource import Resource
from aerodrome.fleet.model import Host
from aerodrome.resources.block import Block
from aerodrome.resources.files import File
from aerodrome.resources.postgres_access import PostgresAccess, lines
from aerodrome.resources.python import Installed
from benchmarks.practice import Practice
from benchmarks.wanted import inputs_of, resources

PYTHON = "3.11"  # of the practice hosts
HBA_FILE = "/etc/postgresql/15/main/pg_hba.conf"  # the same for everyone: Debian 12
Variables = dict[str, Any]


def lay_out(fleet: Practice) -> Path:
    """Write everything, readable only by its owner, and return its path."""
    inputs = inputs_of(fleet.hosts_yaml)
    place = fleet.folder / "peers"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    made = resources(inputs)
    for host, own in made.items():
        _write_files(place / "files" / host, own)
    common = _common(inputs, [each for own in made.values() for each in own], place)
    common |= {"ssh_config": str(fleet.folder / "ssh_config"), "known_hosts": str(fleet.folder / "known_hosts")}
    hosts = {name: _host(inputs, host, fleet.folder) for name, host in inputs.fleet.hosts.items()}
    (place / "fleet.json").write_text(json.dumps({**common, "hosts": hosts}, indent=1))
    (place / "inventory.json").write_text(json.dumps(inventory(common, hosts, str(place)), indent=1))
    return place


def _write_files(folder: Path, resources: Iterable[Resource]) -> None:
    for resource in resources:
        if isinstance(resource, File):
            path = folder / resource.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(resource.content)


def _common(inputs: Inputs, resources: Sequence[Resource], place: Path) -> Variables:
    """Return the fleet's variables, and write the lock files next to them."""
    airflow, database = inputs.fleet.airflow, inputs.fleet.database
    installed = next(each for each in resources if isinstance(each, Installed))
    lock = installed.requirements.text(PYTHON)
    (place / "lock.txt").write_text(lock)
    (place / "uv.txt").write_text(installed.requirements.uv)
    assert inputs.password is not None
    return {
        "user": airflow.user,
        "home": airflow.home,
        "user_home": inputs.user_home,
        "service": airflow.service,
        "web_port": airflow.web_port,
        "environment": installed.directory(PYTHON),
        "link": installed.link,
        "pins": pins(lock),
        "dags": str(inputs.fleet.deploy.dags),
        "hba_file": HBA_FILE,
        "hba_lines": lines(next(each for each in resources if isinstance(each, PostgresAccess)).logins),
        "hosts_lines": next(each for each in resources if isinstance(each, Block)).lines,
        "database_name": database.name,
        "database_user": database.user,
        "database_password": inputs.password.reveal(),
    }


def pins(lock: str) -> list[str]:
    """Return the pins of a lock file: name==version."""
    return re.findall(r"^([A-Za-z0-9._-]+==[^\s;\\]+)", lock, re.MULTILINE)


def _host(inputs: Inputs, host: Host, folder: Path) -> Variables:
    roles = inputs.fleet.roles_of(host)
    asks = {"sudo_password_file": str(folder / "sudo-password")} if host.sudo_password else {}
    return {"roles": roles, **asks}


def inventory(common: Variables, hosts: dict[str, Variables], place: str) -> Variables:
    """Return Ansible's inventory: a group per role, the DAG processors with the scheduler, and shared variables."""
    ours = ("user", "home", "user_home", "service", "environment", "link")
    shared = {f"airflow_{key}" if key in ours else key: value for key, value in common.items()}
    shared |= {
        "airflow_installer": "uv",
        "files": f"{place}/files/{{{{ inventory_hostname }}}}",
        "lock_file": f"{place}/lock.txt",
        "uv_file": f"{place}/uv.txt",
        "ansible_ssh_common_args": f"-F {common['ssh_config']}",
    }
    groups: dict[str, list[str]] = {"nodes": [], "processors": []}
    for name, host in hosts.items():
        for role in host["roles"]:
            group = "processors" if role in ("dag-processor", "triggerer") else role
            members = groups.setdefault(group, [])
            members.extend([name] if name not in members else [])
        groups["nodes"].extend([name] if set(host["roles"]) - {"database"} else [])
    children: dict[str, Variables] = {group: {"hosts": dict.fromkeys(members, {})} for group, members in groups.items()}
    return {
        "all": {"vars": shared, "hosts": {name: _become(host) for name, host in hosts.items()}, "children": children}
    }


def _become(host: Variables) -> Variables:
    if path := host.get("sudo_password_file"):
        return {"ansible_become_password": f"{{{{ lookup('file', '{path}') }}}}"}
    return {}
