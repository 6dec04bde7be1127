"""The hosts, as benchmarks/peers/layout.py wrote them from hosts.yaml."""

import json
import os
from pathlib import Path

_folder = Path(os.environ["PEERS"])
_fleet = json.loads((_folder / "fleet.json").read_text())
_login = {"ssh_config_file": _fleet["ssh_config"], "ssh_known_hosts_file": _fleet["known_hosts"]}


def _data(host):
    data = {**_login, **host}
    if host.get("sudo_password_file"):
        data["_sudo_password"] = Path(host["sudo_password_file"]).read_text().strip()
    return data


fleet = [(name, _data(host)) for name, host in _fleet["hosts"].items()]
