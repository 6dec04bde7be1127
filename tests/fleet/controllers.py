"""Several people who change one fleet, each with their own hosts.yaml."""

from __future__ import annotations

import subprocess

from tests.real import FAB, PROJECT, Done, Fleet

# The change that is quick on bare hosts, and that no unit reads.
TASK = "node.hosts"
NODES = ["sched1", "web1", "worker1", "worker2"]  # db1 is not a node: it only keeps the lock


class Controller:
    """Somebody with their own hosts.yaml, which has one more machine."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name
        self.hosts_yaml = fleet.folder / f"hosts-{name}.yaml"
        own = f"hosts:\n  of-{name}: {{address: 192.0.2.77}}\n"
        self.hosts_yaml.write_text(fleet.hosts_yaml.read_text().replace("hosts:\n", own, 1))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [FAB, *arguments],
            cwd=PROJECT,
            env={
                **self.fleet.environment(),
                "AERODROME_HOSTS": str(self.hosts_yaml),
                "AERODROME_PERFORMER": f"{self.name}@test",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fab(self, *arguments: str, code: int = 0) -> Done:
        """Run fab to its end, and assert its exit code."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, out + err
        return Done(code, out, err)


def names_of(fleet: Fleet) -> set[str]:
    """Return which of the controllers' own machines the hosts know."""
    return {fleet.sh(host, "grep -o 'of-[a-z]*' /etc/hosts || true").strip() for host in NODES}


def told(process: subprocess.Popen[str], words: str) -> str:
    """Read a run's output until it contains this."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return line
    raise AssertionError(said)
