"""Hosts that are slow, flood, lie or vanish: nothing hangs, the others' answers are shown, and a host is named.

On two separate bare hosts, with programs that replace the distribution's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator

import pytest

from lab.fleet import Lab
from tests.real import FAB, PROJECT, Done, Fleet, wait

FAKES = "/usr/local/sbin"  # comes first in the PATH of our scripts
GOOD, BAD = "old1", "new1"

HOSTS_YAML = """\
ssh: {{key: {folder}/id_ed25519, known_hosts: {folder}/known_hosts, connect_timeout: 5}}
hosts:
  old1: {{address: {old1}}}
  new1: {{address: {new1}}}
roles: {{database: [old1], scheduler: [old1], webserver: [old1], worker: [old1, new1]}}
airflow: {{pinned: false, python: /usr/bin/python3}}
deploy: {{probe_timeout: 6, change_timeout: 12, output_limit: 2}}
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    lab = Lab(os.environ.get("AERODROME_TEST_LAB", "test"))
    keep = bool(os.environ.get("AERODROME_KEEP_LAB"))
    for name in (GOOD, BAD):
        lab.up_host(name)
    folder = tmp_path_factory.mktemp("untrusted")
    fleet = Fleet(lab, folder, (GOOD, BAD), GOOD)
    addresses = {name: lab.address(name) for name in fleet.hosts}
    fleet.hosts_yaml.write_text(HOSTS_YAML.format(folder=PROJECT / ".lab" / lab.name, **addresses))
    try:
        yield fleet
    finally:
        if not keep:
            lab.remove([GOOD, BAD])


@pytest.fixture
def two(hosts: Fleet) -> Iterator[Fleet]:
    """Both hosts. Replaced programs, and processes that they left running, are removed after the test."""
    text = hosts.hosts_yaml.read_text()
    yield hosts
    hosts.hosts_yaml.write_text(text)
    for name in hosts.hosts:
        hosts.sh(name, f"rm -f {FAKES}/*; pkill -x sleep; pkill -x yes; rm -f /tmp/fake-*; true")


def fake(fleet: Fleet, program: str, script: str, host: str = BAD) -> None:
    """Replace a program of the host by a script."""
    text = shlex.quote(f"#!/bin/sh\n{script}\n")
    fleet.sh(host, f"printf %s {text} >{FAKES}/{program}; chmod 755 {FAKES}/{program}")


def installs(fleet: Fleet, script: str) -> None:
    """Let apt-get run `script`, after which all packages count as installed: the change of `node.packages`."""
    asked = 'shift 3; [ -e /tmp/fake-installed ] || exit 1; for name; do echo "$name installed"; done'
    fake(fleet, "dpkg-query", asked)
    fake(fleet, "dpkg", "exit 0")
    fake(fleet, "apt-get", f"touch /tmp/fake-started\n{script}\ntouch /tmp/fake-installed")


def line_of(done: Done, host: str) -> str:
    """Return the one line of an error about `host`."""
    lines = [line for line in done.err.splitlines() if line.startswith(f"{host}: ")]
    assert len(lines) == 1, done.text
    assert "Traceback" not in done.text
    return lines[0]


def free(fleet: Fleet, host: str = BAD) -> None:
    """Assert that nobody holds the lock of a host."""
    fleet.sh(host, "flock -n -x /run/aerodrome/lock true")


def peak_of(fleet: Fleet, *arguments: str) -> tuple[Done, int]:
    """Run fab, and return its peak memory (MB)."""
    process = subprocess.Popen(
        ["/usr/bin/env", "python3", "-c", MEASURE, str(FAB), *arguments],
        cwd=PROJECT, env=fleet.environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    out, err = process.communicate(timeout=200)
    err, _, peak = err.rpartition("peak ")
    return Done(process.returncode, out, err), int(peak) // 1024


MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}", file=sys.stderr)
sys.exit(code)
"""

# Slow


def test_a_host_that_does_not_answer_hides_nobody_s_plan_and_is_freed(two: Fleet) -> None:
    fake(two, "systemctl", "exec sleep 1000")
    began = time.monotonic()
    done = two.fab("plan", code=1)
    assert time.monotonic() - began < 20
    assert done.out.startswith("old1\n") and "node.packages" in done.out
    line = line_of(done, BAD)
    assert ": did not finish within 6 s (deploy.probe_timeout)" in line
    assert " → check what the host is doing: fab -H new1 run 'ps -ef'" in line
    assert line.split(": ")[1].startswith(("node.", "roles.", "redis.")), line
    wait("what hung has been ended", lambda: not two.lab.run(BAD, "pgrep -x sleep").stdout, 10)
    free(two)


def test_a_host_that_does_not_answer_hides_nobody_s_health(two: Fleet) -> None:
    two.change("probe_timeout: 6", "probe_timeout: 13")
    fake(two, "systemctl", "exec sleep 1000")
    done = two.fab("status", code=1)
    assert "waiting for new1: health (10 s)" in done.err.splitlines()
    rows = {line.split()[0]: line for line in done.out.splitlines()}
    assert "did not finish within 13 s (deploy.probe_timeout)" in rows[BAD]
    assert "NOT HEALTHY: the unit is" in rows[GOOD]


def test_a_change_that_takes_too_long_is_ended_and_named(two: Fleet) -> None:
    installs(two, "sleep 1000")
    done = two.fab("-H", BAD, "node.packages", code=1)
    assert "waiting for new1: node.packages: install " in done.err
    line = line_of(done, BAD)
    assert line.startswith("new1: node.packages: install ")
    assert "did not finish within 12 s (deploy.change_timeout)" in line
    wait("what hung has been ended", lambda: not two.lab.run(BAD, "pgrep -x sleep").stdout, 10)
    free(two)


# Floods


@pytest.mark.parametrize("flood", ["yes", "yes >&2", "cat /dev/zero", "cat /dev/zero >&2"])
def test_a_flood_while_a_host_is_changed_is_ended_and_costs_no_memory(two: Fleet, flood: str) -> None:
    installs(two, flood)
    done, peak = peak_of(two, "-H", BAD, "node.packages")
    line = line_of(done, BAD)
    assert line.startswith("new1: node.packages: install ")
    assert "printed more than 2 MB (deploy.output_limit)" in line
    assert peak < 150, done.text
    free(two)


def test_an_endless_file_is_not_read_to_its_end(two: Fleet) -> None:
    two.sh(BAD, "cp /etc/hosts /etc/hosts.kept; truncate -s 1T /etc/hosts")
    try:
        done, peak = peak_of(two, "plan")
    finally:
        two.sh(BAD, "mv /etc/hosts.kept /etc/hosts")
    # The shell looks for the block itself, a line at a time, and this line has no end.
    assert "node.hosts: did not finish within 6 s (deploy.probe_timeout)" in line_of(done, BAD)
    assert done.out.startswith("old1\n")
    assert peak < 150


def test_a_command_may_print_without_end_and_costs_no_memory(two: Fleet) -> None:
    done, peak = peak_of(two, "-H", BAD, "run", "head -c 20000000 /dev/zero | tr '\\0' x; seq 1000000")
    assert done.out.endswith("new1 | 1000000\n")
    assert peak < 150


# Left behind


def test_a_process_that_a_change_leaves_behind_holds_up_neither_this_run_nor_the_next(two: Fleet) -> None:
    installs(two, "sleep 600 &\nls -l /proc/self/fd >/tmp/fake-fds")
    began = time.monotonic()
    two.fab("-H", BAD, "node.packages")
    assert time.monotonic() - began < 20
    assert two.sh(BAD, "pgrep -x sleep")
    descriptors = {line.split()[8] for line in two.sh(BAD, "cat /tmp/fake-fds").splitlines()[1:]}
    assert "9" not in descriptors and "lock" not in two.sh(BAD, "cat /tmp/fake-fds")
    free(two)
    two.nothing_to_do("-H", BAD, "node.packages")


def test_a_process_that_a_command_leaves_behind_does_not_hold_it_up(two: Fleet) -> None:
    began = time.monotonic()
    done = two.fab("-H", BAD, "run", "sleep 600 & ls -l /proc/$!/fd; echo over")
    assert done.out.endswith("new1 | over\n")
    assert time.monotonic() - began < 15


# Lies


@pytest.mark.parametrize(
    "program, says",
    [
        ("systemctl", "echo NRestarts=²"),
        ("systemctl", "echo NRestarts=$(printf '9%.0s' $(seq 5000))"),
        ("stat", "echo 'regular file|root|root|rwx'"),
    ],
)
def test_an_answer_that_makes_no_sense_is_one_host_s_error(two: Fleet, program: str, says: str) -> None:
    fake(two, program, says)
    done = two.fab("plan", code=1)
    line = line_of(done, BAD)
    assert line.startswith("new1: node.") and len(line) < 3000
    assert done.out.startswith("old1\n")


def test_what_a_host_prints_cannot_command_the_terminal(two: Fleet) -> None:
    evil = r"\033]0;title\007\033[2J\r\302\233\342\200\256x\n\tplain é\n"
    shown = r"\x1b]0;title\x07\x1b[2J\x0d\x9b\u202ex"
    entry = r'{"MESSAGE": "\u001b[2J\u202e\u009b é", "UNIT": "airflow@worker.service", "__REALTIME_TIMESTAMP": "1"}'
    fake(two, "journalctl", f"echo '{entry.replace(chr(92), chr(92) * 2)}'")
    assert r"\x1b[2J\u202e\x9b é" in two.fab("-H", BAD, "logs").out
    assert two.fab("-H", BAD, "run", f"printf '{evil}'").out == f"new1 | {shown}\nnew1 | \tplain é\n"
    installs(two, f"case \"$*\" in *update) exit 0;; esac\nprintf '{evil}' >&2; exit 1")
    done = two.fab("-H", BAD, "node.packages", code=1)
    assert r"  new1 | \x1b]0;title\x07\x1b[2J" in done.err and r"\x9b\u202ex" in done.err
    assert not {letter for letter in done.text if not letter.isprintable()} - {"\n", "\t"}


# Gone


def through_shell(fleet: Fleet, command: str) -> Done:
    script = f'set -o pipefail; fab() {{ {FAB} "$@"; }}; {command}'
    done = subprocess.run(
        ["bash", "-c", script], cwd=PROJECT, env=fleet.environment(), capture_output=True, text=True, timeout=100
    )
    return Done(done.returncode, done.stdout, done.stderr)


def test_a_reader_that_has_gone_blames_no_host(two: Fleet) -> None:
    entry = '{"MESSAGE": "%g", "UNIT": "airflow@worker.service", "__REALTIME_TIMESTAMP": "1"}'
    fake(two, "journalctl", f"seq -f '{entry}' 20000")
    done = through_shell(two, f"fab -H {BAD} logs --lines=20000 | head -1")
    assert (done.code, done.out.count("\n"), done.err) == (141, 1, "")


def test_a_reader_that_has_gone_does_not_end_a_change(two: Fleet) -> None:
    installs(two, "sleep 2; touch /tmp/fake-after")
    done = through_shell(two, f"fab -H {BAD} node.packages 2>&1 | head -1")
    assert done.code == 0, done.text
    two.sh(BAD, "[ -e /tmp/fake-after ]")
    done = through_shell(two, f"fab -H {BAD} run 'seq 100000; sleep 2; echo x >/tmp/fake-end' | head -1")
    assert (done.code, done.out) == (0, "new1 | 1\n"), done.text
    two.sh(BAD, "[ -e /tmp/fake-end ]")


@pytest.mark.parametrize("where, what", [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")])
def test_a_stdout_that_takes_nothing_is_one_line(two: Fleet, where: str, what: str) -> None:
    for task in ("plan", "status", f"-H {BAD} run 'echo x'"):
        done = through_shell(two, f"fab {task} {where}")
        assert done.code == 1
        assert f"cannot write to stdout: {what}" in done.err
        assert "Traceback" not in done.err and "Exception ignored" not in done.err
    installs(two, "true")
    assert through_shell(two, f"fab -H {BAD} node.packages {where} 2{where}").code == 0


def test_a_cable_that_is_pulled_ends_every_run_and_the_next_waits_for_the_host(two: Fleet) -> None:
    installs(two, "sleep 58; touch /tmp/fake-after")
    two.change("change_timeout: 12", "change_timeout: 300")
    direct = two.start("-H", BAD, "run", "sleep 1000")
    two.change(f"address: {two.lab.address(BAD)}", f"jump: {GOOD}, address: {two.lab.address(BAD)}")
    change = two.start("-H", BAD, "node.packages")  # through a jump host, which is still there
    wait("the change has begun", lambda: two.lab.run(BAD, "ls /tmp/fake-started").stdout, 30, 0.2)
    two.lab.cut(BAD)
    try:
        ends = [Done(1, *process.communicate(timeout=58)) for process in (direct, change)]
    finally:
        two.lab.mend(BAD)
        for process in (direct, change):
            process.kill()
    assert [process.returncode for process in (direct, change)] == [1, 1]
    assert "new1: connect: the connection broke: no sign of life for 45 s" in line_of(ends[0], BAD)
    line = line_of(ends[1], BAD)
    assert line.startswith("new1: node.packages: install ")
    assert ": the connection broke: no sign of life for 45 s → the host may still be finishing it" in line

    again = two.fab("-H", BAD, "node.packages")
    assert "waiting for another run that is at work on this host" in again.err
    assert again.err.splitlines()[-1] == "no changes"
    two.sh(BAD, "[ -e /tmp/fake-after ]")
