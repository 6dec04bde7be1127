"""What a run tells while it goes on: to a program (--json), and to an operator at a terminal."""

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
SEASON = "\n  environment: {SEASON: spring}\n"
ROW = re.compile(r"  (worker\d) +(\d+) s  (.+)")
FINISHED = re.compile(r"  worker\d +[a-z.]+ +(write|restart|healthy: ).*")


@pytest.fixture(autouse=True, scope="module")
def put_back(deployed: Fleet) -> Iterator[None]:
    """Leave workers behind that run what hosts.yaml says."""
    text = deployed.hosts_yaml.read_text()
    yield
    deployed.hosts_yaml.write_text(text)
    deployed.fab(*TASK)


def events(fleet: Fleet) -> list[dict[str, Any]]:
    done = fleet.fab(*TASK, "--json")
    assert done.err == ""
    return [json.loads(line) for line in done.out.splitlines()]


def terminal(fleet: Fleet, *arguments: str, **environment: str) -> Terminal:
    given = {**fleet.environment(), "TERM": "xterm", **environment}
    return Terminal([str(FAB), *(arguments or TASK)], PROJECT, given, 90)


def rows(screen: Screen) -> list[re.Match[str]]:
    return [found for line in screen.lines if (found := ROW.fullmatch(line))]


def test_a_program_reads_what_happens_and_how_it_ended(fleet: Fleet) -> None:
    fleet.change("\nairflow:\n", f"\nairflow:{SEASON}")
    found = events(fleet)
    assert found[0]["event"] == "begin" and found[0]["command"] == "fab deploy"
    end = found[-1]
    assert (end["event"], end["outcome"], end["changed"], end["errors"]) == ("end", "changed", WORKERS, [])
    restarts = [each for each in found if each["event"] == "change_end" and "restart" in each["summary"]]
    assert [each["host"] for each in restarts] == WORKERS
    assert all(each["seconds"] > 0 and each["stage"] == "workers" for each in restarts)
    begun = [(each["host"], each["summary"]) for each in found if each["event"] == "change"]
    assert begun == [(each["host"], each["summary"]) for each in found if each["event"] == "change_end"]
    healthy = [each for each in found if each["event"] == "healthy"]
    assert [(each["host"], each["step"]) for each in healthy] == [(host, "roles.worker") for host in WORKERS]
    stages = [each["stage"] for each in found if each["event"] == "stage"]
    assert stages[-1] == "workers" and stages == [each["stage"] for each in found if each["event"] == "stage_end"]

    begin, end = events(fleet)
    assert (begin["event"], end["outcome"], end["changed"]) == ("begin", "unchanged", [])
    fleet.change(SEASON, "\n")


def test_an_operator_sees_what_goes_on_and_for_how_long(fleet: Fleet) -> None:
    fleet.change("\nairflow:\n", f"\nairflow:{SEASON}")
    with terminal(fleet) as interrupted:
        interrupted.until(lambda screen: any("restart" in row[3] for row in rows(screen)))
        interrupted.type("\x03")
        assert interrupted.end() == 130
        screen = interrupted.screen
    assert screen.cursor and not rows(screen)
    assert [line for line in screen.lines if re.search(r"restart airflow@worker.*  \(\d+ s, not finished\)$", line)]
    assert screen.lines[-1] == "interrupted; what was begun can be finished by the same again"

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
    assert re.fullmatch(r"done: [12] hosts changed", screen.lines[-1])


def test_nothing_to_do_draws_nothing_and_imports_nothing_that_draws(fleet: Fleet) -> None:
    for _ in range(5):  # where hosts take seconds to answer, that is shown
        with terminal(fleet, PYTHONPROFILEIMPORTTIME="1") as run:
            assert run.end() == 0
        if "\x1b" not in run.screen.raw:
            break
    imported = {line.rpartition("|")[2].strip() for line in run.screen.raw.splitlines() if line.startswith("import ")}
    assert "aerodrome.report.terminal" in imported
    assert not [name for name in imported if re.match(r"rich\b|aerodrome\.report\.(region|json)", name)]
    assert [line for line in run.screen.lines if not line.startswith("import ")] == ["no changes"]
