"""The DAG folder on every node: whole, switched in one rename, sent only when it has changed."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from tests.fleet.conftest import HOSTS, Fleet
from tests.real import wait

NODES = HOSTS[1:]
DAGS = "/usr/local/airflow/dags"

LIST = f"cd {DAGS}/ && find . -type f -printf '%P %m %u:%g %s\\n' | sort"

# Read the folder repeatedly, as a process that has it open would: everything listed is readable and of one release.
WATCH = f"""\
import collections, json, os
seen, wrong = collections.Counter(), []
while not os.path.exists("/run/dags-watched"):
    try:
        folder = os.open("{DAGS}", os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        wrong.append(str(error))
        continue
    try:
        words = []
        for name in sorted(os.listdir(folder)):
            file = os.open(name, os.O_RDONLY, dir_fd=folder)
            words.append(os.read(file, 100).decode())
            os.close(file)
        seen["%d files: %s" % (len(words), " ".join(sorted(set(words))))] += 1
    except OSError as error:
        wrong.append(str(error))
    os.close(folder)
    open("/run/dags-seen.new", "w").write(json.dumps([seen, wrong[:20]]))
    os.rename("/run/dags-seen.new", "/run/dags-seen")
"""


@pytest.fixture
def folder(fleet: Fleet, tmp_path: Path) -> object:
    """The test's own DAG folder; the fleet's is restored afterwards."""
    text = fleet.hosts_yaml.read_text()
    found = re.search(r"^  dags: \S+", text, re.MULTILINE)
    assert found
    mine = tmp_path / "dags of mine"
    mine.mkdir()
    fleet.change(found[0], f'  dags: "{mine}"')
    yield mine
    fleet.hosts_yaml.write_text(text)
    fleet.fab("deploy-dags")


def fill(folder: Path, files: int, word: str) -> None:
    for number in range(files):
        (folder / f"dag_{number:03}.py").write_text(f"# {word}")


def releases(fleet: Fleet, host: str) -> list[str]:
    return fleet.sh(host, f"ls -A {DAGS}-releases").split()


def test_first_unchanged_changed_and_removed(fleet: Fleet, folder: Path) -> None:
    before = fleet.started()
    (folder / "one.py").write_text("# one")
    (folder / "two words & $HOME.py").write_text("# Grüße")
    (folder / "lib" / "deep").mkdir(parents=True)
    (folder / "lib" / "deep" / "helper.py").write_text("")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "one.cpython-311.pyc").write_bytes(b"\0")

    first = fleet.fab("deploy-dags")
    assert first.err.count("put 4 files into /usr/local/airflow/dags") == len(NODES)
    files = [
        "lib/deep/helper.py 644 root:root 0",
        "one.py 644 root:root 5",
        "run.sh 755 root:root 10",
        "two words & $HOME.py 644 root:root 9",
    ]
    for host in NODES:
        assert fleet.sh(host, LIST).splitlines() == files
    fleet.nothing_to_do("deploy-dags")
    (folder / "one.py").touch()  # a time is not content
    fleet.nothing_to_do("deploy-dags")

    (folder / "one.py").write_text("# two")
    plan = fleet.fab("plan", code=2).out
    assert plan.count("node.dags: put 4 files") == len(NODES)
    assert "restart" not in plan
    assert fleet.sh("worker1", f"cat {DAGS}/one.py") == "# one"
    fleet.fab("deploy-dags")
    fleet.nothing_to_do("deploy-dags")
    assert {fleet.sh(host, f"cat {DAGS}/one.py") for host in NODES} == {"# two"}

    (folder / "one.py").unlink()
    fleet.fab("deploy-dags")
    fleet.nothing_to_do("deploy-dags")
    for host in NODES:
        assert fleet.sh(host, LIST).splitlines() == files[:1] + files[2:]
        assert len(releases(fleet, host)) <= 3
    assert fleet.started() == before


def test_an_unchanged_folder_is_asked_for_and_not_sent(fleet: Fleet, folder: Path) -> None:
    (folder / "big.py").write_bytes(b"#" * 10 + os.urandom(3_000_000).hex().encode())
    fleet.fab("-H", "worker1", "deploy-dags")
    received = "cat /sys/class/net/host0/statistics/rx_bytes"

    before = int(fleet.sh("worker1", received))
    fleet.nothing_to_do("-H", "worker1", "deploy-dags")

    assert int(fleet.sh("worker1", received)) - before < 1_000_000


def test_three_hundred_files_and_a_switch_that_nobody_sees_half(fleet: Fleet, folder: Path) -> None:
    fill(folder, 300, "first")
    fleet.fab("deploy-dags")
    fleet.nothing_to_do("deploy-dags")
    fleet.sh("worker1", "rm -f /run/dags-seen /run/dags-watched")
    with open(f"/proc/{fleet.lab.pid('worker1')}/root/run/watch.py", "w") as program:
        program.write(WATCH)
    fleet.sh("worker1", "systemd-run -q --collect --unit=watch-dags python3 /run/watch.py")
    try:
        wait("somebody looks", lambda: fleet.lab.run("worker1", "cat /run/dags-seen").stdout, 30)
        for number, word in ((280, "second"), (300, "third"), (300, "first")):
            for file in folder.iterdir():
                file.unlink()
            fill(folder, number, word)
            fleet.fab("-H", "worker1", "deploy-dags")
            time.sleep(0.5)
    finally:
        fleet.sh("worker1", "touch /run/dags-watched; sleep 0.5; systemctl stop watch-dags 2>/dev/null; true")
    seen, wrong = json.loads(fleet.sh("worker1", "cat /run/dags-seen"))

    assert wrong == []
    assert set(seen) == {"300 files: # first", "280 files: # second", "300 files: # third"}, seen
    for host in NODES:
        assert len(releases(fleet, host)) <= 3
    fleet.sh("worker1", "rm -f /run/dags-seen /run/dags-watched /run/watch.py")


def state(fleet: Fleet, host: str) -> dict[str, str]:
    """Return the state of each DAG folder of a host according to `fab releases`, newest first."""
    rows = json.loads(fleet.fab("-H", host, "releases", "--json").out)
    return {row["name"]: row["state"] for row in rows if row["kind"] == "dags"}


def test_three_are_kept_and_dags_go_back_and_forward(fleet: Fleet, folder: Path) -> None:
    names = []
    for word in ("one", "two", "three", "four"):
        fill(folder, 1, word)
        last = fleet.fab("deploy-dags")
        names.append(fleet.sh("worker1", f"readlink {DAGS}").strip().rpartition("/")[2])
    one, two, three, four = names
    assert re.search(rf"remove the old releases? .*{one}", last.err)
    assert sorted(releases(fleet, "worker1")) == sorted([two, three, four])
    fleet.nothing_to_do("deploy-dags")
    assert state(fleet, "worker1") == {four: "in use", three: "previous", two: "older"}

    before = fleet.started()
    for name, word in ((three, "three"), (two, "two")):
        assert fleet.fab("rollback-dags").err.count(f"switch {DAGS} to {name}") == len(NODES)
        fleet.nothing_to_do("rollback-dags", f"--to={name}")
        assert {fleet.sh(host, f"cat {DAGS}/dag_000.py") for host in NODES} == {f"# {word}"}
    assert "there is no release before the one in use" in fleet.fab("rollback-dags", code=1).err
    assert fleet.fab("deploy-dags").err.count("put 1 files") == len(NODES)
    fleet.nothing_to_do("deploy-dags")
    assert {fleet.sh(host, f"cat {DAGS}/dag_000.py") for host in NODES} == {"# four"}
    assert fleet.started() == before

    fleet.sh("worker2", f"rm -r {DAGS}-releases/{two}")
    refused = fleet.fab("rollback-dags", f"--to={two}", code=1).err
    assert f"worker2: node.dags: there is no release {two} of {DAGS}" in refused
    assert {fleet.sh(host, f"cat {DAGS}/dag_000.py") for host in NODES} == {"# four"}


def test_a_release_that_a_process_uses_stays_until_it_has_ended(fleet: Fleet, folder: Path) -> None:
    fill(folder, 1, "old")
    fleet.fab("deploy-dags")
    old = fleet.sh("worker1", f"readlink {DAGS}").strip()
    name = old.rpartition("/")[2]
    fleet.sh("worker1", f"systemd-run -q --collect --unit=stays -p User=astro --working-directory={old} sleep 900")
    try:
        for word in ("newer", "newer still", "newest"):
            fill(folder, 1, word)
            fleet.fab("deploy-dags")
        fleet.nothing_to_do("deploy-dags")
        assert [len(releases(fleet, host)) for host in ("worker1", "worker2")] == [4, 3]
        assert state(fleet, "worker1")[name] == "used by a process"
    finally:
        fleet.sh("worker1", "systemctl stop stays")
    assert f"node.dags: remove the old release {name}" in fleet.fab("plan", code=2).out
    fleet.fab("deploy-dags")
    fleet.nothing_to_do("deploy-dags")
    assert len(releases(fleet, "worker1")) == 3


def test_an_environment_that_units_still_run_in_is_seen(fleet: Fleet) -> None:
    """Switch environments without a restart: files that Airflow has mapped are found, even from within its sandbox."""
    place = "/opt/aerodrome/airflow"
    before = fleet.sh("worker1", f"readlink {place}/venv").strip()
    fleet.sh("worker1", f"mkdir {place}/venvs/other; ln -sfn {place}/venvs/other {place}/venv")
    try:
        rows = json.loads(fleet.fab("-H", "worker1", "releases", "--json").out)
        states = {row["name"]: row["state"] for row in rows if row["kind"] == "environment"}
        assert states[before.rpartition("/")[2]] == "used by a process", states
    finally:
        fleet.sh("worker1", f"ln -sfn {before} {place}/venv; rmdir {place}/venvs/other")
    assert "in use" in fleet.fab("-H", "worker1", "releases").out
    fleet.nothing_to_do("-H", "worker1", "deploy")


def test_a_folder_made_by_hand_is_kept_aside_each_time(fleet: Fleet, folder: Path) -> None:
    fill(folder, 1, "ours")
    fleet.fab("-H", "worker1", "deploy-dags")
    try:
        for turn in ("once", "twice"):
            fleet.sh("worker1", f"rm {DAGS}; mkdir {DAGS}; echo {turn} >{DAGS}/by-hand.py")

            fleet.fab("-H", "worker1", "deploy-dags")
            fleet.nothing_to_do("-H", "worker1", "deploy-dags")

            assert fleet.sh("worker1", f"ls {DAGS}/").split() == ["dag_000.py"]
            assert turn in fleet.sh("worker1", f"cat {DAGS}-releases/by-hand*/by-hand.py")
    finally:
        fleet.sh("worker1", f"rm -rf {DAGS}-releases/by-hand*; [ -h {DAGS} ] || rm -rf {DAGS}")


def test_a_link_to_elsewhere_and_a_release_that_was_half_unpacked(fleet: Fleet, folder: Path) -> None:
    fill(folder, 3, "whole")
    fleet.fab("-H", "worker1", "deploy-dags")
    release = fleet.sh("worker1", f"readlink {DAGS}").strip()
    # As a killed run leaves it: partly unpacked, not yet in use.
    fleet.sh(
        "worker1", f"mkdir {release}.new; touch {release}.new/half; ln -sfn /nowhere {DAGS}; rm {release}/dag_001.py"
    )

    fleet.fab("-H", "worker1", "deploy-dags")
    fleet.nothing_to_do("-H", "worker1", "deploy-dags")

    assert fleet.sh("worker1", f"ls {DAGS}/").split() == ["dag_000.py", "dag_001.py", "dag_002.py"]
    assert fleet.sh("worker1", f"ls -A {DAGS}-releases {DAGS}/ | grep -c -e half -e new || true").strip() == "0"


def test_a_folder_that_is_not_there_is_reported_before_anything_is_touched(fleet: Fleet, folder: Path) -> None:
    folder.rmdir()

    refused = fleet.fab("deploy-dags", code=1)

    assert refused.err == f"error: deploy.dags: there is no directory {folder}\n  → create it, or remove the key\n"
