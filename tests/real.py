"""Shared by all tests on real hosts: practice hosts, the real fab, and direct access to the hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from lab.errors import LabError
from lab.fleet import Lab
from lab.layout import host_spec

PROJECT = Path(__file__).resolve().parents[1]
FAB = Path(sys.executable).with_name("fab")
# Characters that mean something to Airflow, systemd, a URL, SQL or a shell.
PASSWORD = "p@ss/w%rd:$ '\"\\é#;"
PATIENCE = 300  # seconds; five hosts on two cores are sometimes slow
# Ignore proxies from the environment: practice hosts are on this machine.
opener = build_opener(ProxyHandler({}))


def wait(what: str, find: Callable[[], Any], patience: float = PATIENCE, pause: float = 1.0) -> Any:
    """Poll until the answer is true, and return it."""
    deadline = time.monotonic() + patience
    while not (found := find()):
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(pause)
    return found


def token(url: str, name: str, password: str) -> str:
    """Log in; urllib's HTTPError if the web server refuses."""
    body = json.dumps({"username": name, "password": password}).encode()
    request = Request(f"{url}/auth/token", body, {"Content-Type": "application/json"})
    with opener.open(request, timeout=60) as answer:
        return str(json.load(answer)["access_token"])


@dataclass
class Done:
    """The outcome of a run of fab."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass
class Fleet:
    """Practice hosts, and fab on them."""

    lab: Lab
    folder: Path  # with hosts.yaml, secrets.yaml, key and known_hosts
    hosts: tuple[str, ...]
    web: str = "web1"  # the host of the web server
    checkout: Path = PROJECT  # which checkout's fab

    @property
    def hosts_yaml(self) -> Path:
        return self.folder / "hosts.yaml"

    @property
    def web_url(self) -> str:
        return f"http://{self.lab.address(self.web)}:8080"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AERODROME_")}
        return {**kept, "AERODROME_HOSTS": str(self.hosts_yaml)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a run of fab and return its process."""
        return subprocess.Popen(
            [FAB, *arguments],
            cwd=self.checkout,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fab(self, *arguments: str, code: int = 0) -> Done:
        """Run fab and assert its exit code; if it is another, show the hosts' journals."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=900)
        done = Done(process.returncode, out, err)
        if done.code != code:
            pytest.fail(f"fab {' '.join(arguments)} ended with {done.code}:\n{done.text}\n{self.journals()}")
        return done

    def nothing_to_do(self, *arguments: str) -> None:
        """Run a task for the second time."""
        again = self.fab(*arguments)
        assert again.err.splitlines()[-1] == "no changes", again.text

    def sh(self, host: str, command: str) -> str:
        """Run shell on a host as root, bypassing ssh, and return its output."""
        done = self.lab.run(host, command)
        assert done.returncode == 0, f"{host}: {command}: {done.stdout}{done.stderr}"
        return done.stdout

    def started(self) -> dict[tuple[str, str], str]:
        """Return the start time of each unit of each host, which changes only if the unit is touched."""
        command = (
            "for unit in $(systemctl list-units --plain --no-legend 'airflow*' 'astronomer-certified@*' 'postgresql@*' "
            "| cut -d' ' -f1); do "
            'echo "$unit $(systemctl show -p MainPID --value $unit) $(systemctl show -p NRestarts --value $unit)"; done'
        )
        return {
            (host, line.split()[0]): line
            for host in self.hosts
            for line in self.lab.run(host, command).stdout.splitlines()
        }

    def node(self, host: str) -> str:
        """Return a practice host's hostname: some differ from their names in hosts.yaml, as cloud machines do."""
        return host_spec(host).node

    def journals(self) -> str:
        """Return the last lines of every unit's journal, for a test that failed."""
        command = (
            "journalctl --no-pager -q -n 200 -u 'airflow*' -u 'astronomer-certified@*' -u 'postgresql*'"
            " | grep -vF '[info ' | tail -n 25"
        )
        return "\n".join(f"--- {host}\n{self._said(host, command)}" for host in self.hosts)

    def _said(self, host: str, command: str) -> str:
        try:
            return self.lab.run(host, command).stdout
        except LabError as error:  # it is down; the failure itself must still be shown
            return str(error)

    def change(self, old: str, new: str) -> None:
        """Replace a part of hosts.yaml."""
        text = self.hosts_yaml.read_text()
        assert old in text, old
        self.hosts_yaml.write_text(text.replace(old, new, 1))
