"""Events of a run while it is in progress: for a program (--json), and for an operator at a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fleet.conftest import Fleet
from tests.real import FAB, PROJECT
from tests.screen import Screen, Terminal

TASK = ("deploy", "--role=worker")
WORKERS = ["worker1", "worker2"]
NODES = ["sched1", "web1", *WORKERS]
ROW = re.compile(r"  (worker\d) +(\d+) s  (.+)")
FINISHED = re.compile(r"  worker\d +[a-z.]+ +(write|restart|healthy: ).*")


@pytest.fixture(scope="module")
def workers(deployed: Fleet) -> Iterator[None]:
    """Restore the workers to the state in hosts.yaml."""
    text = deployed.hosts_yaml.read_text()
    yield
    deployed.hosts_yaml.write_text(text)
    deployed.fab(*TASK)


@pytest.fixture(scope="module")
def names(bare: Fleet) -> Iterator[None]:
    """Ensure that hosts know exactly the fleet's names, before and after."""
    bare.fab("node.hosts")
    yield
    bare.fab("node.hosts")


@pytest.fixture
def one_more(bare: Fleet, names: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """Add a host to hosts.yaml that the others' /etc/hosts does not contain yet."""
    text = bare.hosts_yaml.read_text()
    name = f"of-{request.node.name.replace('_', '-')[-20:]}"
    bare.hosts_yaml.write_text(text.replace("hosts:\n", f"hosts:\n  {name}: {{address: 192.0.2.77}}\n", 1))
    yield
    bare.hosts_yaml.write_text(text)


def events(fleet: Fleet, *arguments: str) -> list[dict[str, Any]]:
    done = fleet.fab(*arguments, "--json")
    assert done.err == ""
    return [json.loads(line) for line in done.out.splitlines()]


def terminal(fleet: Fleet, *arguments: str, **environment: str) -> Terminal:
    given = {**fleet.environment(), "TERM": "xterm", **environment}
    return Terminal([str(FAB), *(arguments or TASK)], PROJECT, given, width=200)


def rows(screen: Screen) -> list[re.Match[str]]:
    return [found for line in screen.lines if (found := ROW.fullmatch(line))]


def test_a_program_reads_every_change(bare: Fleet, one_more: None) -> None:
    begin, stage, *changes, stage_end, end = events(bare, "node.hosts")
    assert (begin["event"], begin["command"]) == ("begin", "fab node.hosts")
    assert (stage["event"], stage["hosts"]) == ("stage", NODES)
    for kind in ("change", "change_end"):
        made = [each for each in changes if each["event"] == kind]
        assert sorted(each["host"] for each in made) == NODES
        assert {(each["stage"], each["step"], each["summary"]) for each in made} == {
            ("node.hosts", "node.hosts", "update the block in /etc/hosts")
        }
    assert len(changes) == 2 * len(NODES)
    assert (stage_end["event"], stage_end["failed"]) == ("stage_end", [])
    assert (end["event"], end["outcome"], end["changed"], end["errors"]) == ("end", "changed", NODES, [])

    begin, end = events(bare, "node.hosts")
    assert (begin["event"], end["outcome"], end["changed"]) == ("begin", "unchanged", [])


def test_an_operator_sees_for_whom_a_run_waits_and_for_how_long(bare: Fleet, one_more: None) -> None:
    # worker2 can be asked, but not changed.
    holder = bare.sh("worker2", "flock -s /run/aerodrome/lock sleep 300 >/dev/null 2>&1 & echo $!").strip()
    waiting = "waiting for another run that is at work on this host"
    try:
        with terminal(bare, "node.hosts") as run:
            run.until(lambda screen: [(row[1], row[3]) for row in rows(screen)] == [("worker2", waiting)])
            began = int(rows(run.screen)[0][2])
            run.until(lambda screen: [int(row[2]) >= began + 3 for row in rows(screen)] == [True])
            bare.lab.run("worker2", f"pkill -P {holder}; kill {holder}")
            assert run.end() == 0
    finally:
        bare.lab.run("worker2", f"pkill -P {holder}; kill {holder}")
    stage, *lines, done = run.screen.lines
    assert re.fullmatch(r"node.hosts  \(\d+ s\)", stage)
    assert sorted(line.split(maxsplit=1)[0] for line in lines) == NODES
    assert all("  node.hosts            update the block in /etc/hosts" in line for line in lines)
    assert done == "done: 4 hosts changed"
    assert run.screen.cursor


def test_nothing_to_do_draws_nothing_and_imports_nothing_that_draws(fleet: Fleet) -> None:
    for _ in range(10):  # a slow host is shown, and units that have just started are waited for
        with terminal(fleet, PYTHONPROFILEIMPORTTIME="1") as run:
            assert run.end(300) == 0
        if "\x1b" not in run.screen.raw:
            break
    imported = {line.rpartition("|")[2].strip() for line in run.screen.raw.splitlines() if line.startswith("import ")}
    assert "aerodrome.report.terminal" in imported
    assert not [name for name in imported if re.match(r"rich\b|aerodrome\.report\.(region|json)", name)]
    assert [line for line in run.screen.lines if not line.startswith("import ")] == ["no changes"]


def test_a_program_reads_what_happens_and_how_it_ended(fleet: Fleet, workers: None) -> None:
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: spring}\n")
    found = events(fleet, *TASK)
    assert found[0]["event"] == "begin" and found[0]["command"] == "fab deploy"
    end = found[-1]
    assert (end["event"], end["outcome"], end["changed"], end["errors"]) == ("end", "changed", WORKERS, [])
    restarts = [each for each in found if each["event"] == "change_end" and "restart" in each["summary"]]
    assert [each["host"] for each in restarts] == WORKERS
    assert all(each["seconds"] > 0 and each["stage"] == "workers" for each in restarts)
    begun = [(each["host"], each["summary"]) for each in found if each["event"] == "change"]
    assert sorted(begun) == sorted((each["host"], each["summary"]) for each in found if each["event"] == "change_end")
    healthy = [each for each in found if each["event"] == "healthy"]
    assert [(each["host"], each["step"]) for each in healthy] == [(host, "roles.worker") for host in WORKERS]
    stages = [each["stage"] for each in found if each["event"] == "stage"]
    assert stages[-1] == "workers" and stages == [each["stage"] for each in found if each["event"] == "stage_end"]

    # The run may still be waiting for a unit that has just started.
    begin, *others, end = events(fleet, *TASK)
    assert (begin["event"], end["outcome"], end["changed"]) == ("begin", "unchanged", [])
    assert {each["event"] for each in others} <= {"stage", "healthy", "stage_end", "still_waiting"}


def test_an_operator_sees_what_goes_on_and_for_how_long(fleet: Fleet, workers: None) -> None:
    fleet.change("\nairflow:\n", "\nairflow:\n  environment: {SEASON: autumn}\n")
    with terminal(fleet) as interrupted:
        interrupted.until(lambda screen: any("restart" in row[3] for row in rows(screen)))
        interrupted.type("\x03")
        assert interrupted.end() == 130
        screen = interrupted.screen
    assert screen.cursor and not rows(screen)
    assert [line for line in screen.lines if re.search(r"restart airflow@worker.*  \(\d+ s, not finished\)$", line)]
    assert screen.lines[-1] == "interrupted; run the same command again to finish what was begun"

    with terminal(fleet) as run:
        run.until(lambda screen: any(int(row[2]) >= 2 for row in rows(screen)))
        assert run.end(300) == 0
        screen = run.screen
    assert screen.cursor and not rows(screen)
    stages, lines = (
        [line for line in screen.lines[:-1] if not line.startswith(" ")],
        [line for line in screen.lines[:-1] if line.startswith(" ")],
    )
    assert stages and all(re.fullmatch(r"[\w ]+  \(\d+ s\)", line) for line in stages), screen.lines
    assert lines and all(FINISHED.fullmatch(line) for line in lines), screen.lines
    assert re.fullmatch(r"done: (1 host|2 hosts) changed", screen.lines[-1])
