"""The plain output for an operator."""

from __future__ import annotations

import io
import json
import sys

import pytest

from aerodrome.components.health import Health
from aerodrome.core.event import (
    ChangeBegan,
    ChangeEnded,
    Doing,
    Failed,
    Healthy,
    Killed,
    Note,
    RunEnded,
    StageBegan,
    StageEnded,
    StillWaiting,
    Waiting,
)
from aerodrome.core.plan import HostPlan, PlannedChange
from aerodrome.core.resource import Change
from aerodrome.core.undo import NOTHING
from aerodrome.errors import AerodromeError, FleetError, HostError, InvalidInput
from aerodrome.report import sink
from aerodrome.report.json import show_plans_as_json, show_status_as_json
from aerodrome.report.output import JsonAlone, Prefixed, Through
from aerodrome.report.status import show_status
from aerodrome.report.terminal import Terminal, data, say, show_error, show_plans
from aerodrome.resources.systemd import UnitState
from aerodrome.secrets import MASK, Redactor, Secret

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def redactor(monkeypatch: pytest.MonkeyPatch) -> Redactor:
    fresh = Redactor()
    monkeypatch.setattr(sink, "redactor", fresh)
    return fresh


PLAN = HostPlan(
    "w1",
    (
        PlannedChange("node.unit", "file /x", Change("write /x", "cat >/x", "-old\n+new", undo=NOTHING)),
        PlannedChange("roles.worker", "unit u", Change("restart u", "systemctl restart u", restarts="u")),
    ),
)
STATE = UnitState("loaded", "enabled", "active", "running", 1, False, 1000, 50)
ROWS = [
    Health(
        "worker",
        "ok",
        "log port answers",
        unit="airflow@worker.service",
        state=STATE,
        now=1000 + 7200,
        version="3.3.2",
        host="w1",
    ),
    Health(
        "webserver",
        "waiting",
        "the unit is not there",
        unit="airflow@webserver.service",
        state=UnitState(),
        now=0,
        version="",
        host="web1",
    ),
]


def test_progress_goes_to_stderr_and_data_to_stdout(capsys: Capture) -> None:
    say("progress")
    data("data")
    assert capsys.readouterr() == ("data\n", "progress\n")


def test_known_secrets_are_hidden_wherever_something_is_printed(capsys: Capture, redactor: Redactor) -> None:
    redactor.know(Secret("hunter2"))
    say("a hunter2 b")
    data("a hunter2 b")
    show_error(HostError("h", "s", "m hunter2", "h hunter2", "d hunter2"))
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err
    assert out == f"a {MASK} b\n"


def test_a_run_tells_stage_host_step_and_change(capsys: Capture) -> None:
    report = Terminal(["w1", "worker10"])
    report.emit(StageBegan("workers", ("w1", "worker10")))
    report.emit(Doing("w1", "connect"))
    report.emit(ChangeBegan("w1", "node.unit", "file /x", "write /x"))
    report.emit(Waiting("worker10", "another run"))
    report.emit(ChangeEnded("w1", "node.unit", "file /x", "write /x", 0.1))
    report.emit(Healthy("w1", "roles.worker", "log port answers"))
    report.emit(Note("worker10", "its clock is fast"))
    report.emit(Note("", "core.executor is deprecated"))
    report.emit(Killed("w1", "roles.worker", "sleep (40 s)"))
    report.emit(StillWaiting({"w1": "node.install: install Airflow"}, 10))
    report.emit(Failed("w1", "node.unit", "is down"))  # errors come last, all of them
    report.emit(StageEnded("workers", 3.0, ("w1",)))
    report.emit(RunEnded("failed", 3.0, ("w1",)))
    assert capsys.readouterr() == (
        "",
        "workers  (0 s)\n"
        "  w1        node.unit             write /x\n"
        "  worker10  another run\n"
        "  w1        roles.worker          healthy: log port answers\n"
        "  worker10  note: its clock is fast\n"
        "note: core.executor is deprecated\n"
        "  w1        killed sleep (40 s)\n"
        "waiting for w1: node.install: install Airflow (10 s)\n",
    )


# Errors


@pytest.mark.parametrize(
    "error, text",
    [
        (InvalidInput("hosts.yaml:1: wrong", "do this"), "error: hosts.yaml:1: wrong\n  → do this\n"),
        (InvalidInput(["hosts.yaml:1: a", "hosts.yaml:2: b"]), "error: hosts.yaml:1: a\nhosts.yaml:2: b\n"),
        (AerodromeError("wrong"), "error: wrong\n"),
        (HostError("w1", "connect", "is down", "start it"), "w1: connect: is down → start it\n"),
        (HostError("w1", "", "is down"), "w1: is down\n"),
        (HostError("w1", "s", "failed", "", "one\ntwo"), "  w1 | one\n  w1 | two\nw1: s: failed\n"),
        (
            FleetError([HostError("w1", "a", "x"), HostError("w2", "b", "y", "z")]),
            "w1: a: x\nw2: b: y → z\n",
        ),
    ],
)
def test_an_error_is_a_line_a_host_with_what_to_do(capsys: Capture, error: AerodromeError, text: str) -> None:
    show_error(error)
    assert capsys.readouterr() == ("", text)


# Output of commands


def test_output_is_handed_on_in_whole_lines(capsys: Capture) -> None:
    through = Through()
    through.read("one\ntw")
    assert capsys.readouterr().out == "one\n"
    through.read("o\n\n")
    assert capsys.readouterr().out == "two\n\n"
    through.read("rest")
    through.close()
    assert capsys.readouterr() == ("rest\n", "")
    through = Through(say)
    through.read("a warning\n")
    assert capsys.readouterr() == ("", "a warning\n")


def test_each_line_comes_with_its_host(capsys: Capture) -> None:
    printer = Prefixed("w1", 4)
    printer.read("one\n\ntwo\nthr")
    printer.close()
    assert capsys.readouterr().out == "w1   | one\nw1   | \nw1   | two\nw1   | thr\n"


def test_a_secret_that_comes_in_two_parts_is_hidden(capsys: Capture, redactor: Redactor) -> None:
    redactor.know(Secret("hunter2"))
    printer = Prefixed("w1", 2)
    printer.read("pass hun")
    printer.read("ter2\n")
    assert capsys.readouterr().out == f"w1 | pass {MASK}\n"


@pytest.mark.parametrize(
    "encoding, text",
    [
        (
            "utf-8",
            "caf\udce9 au lait",
        ),  # a byte that is not UTF-8: a host's /etc/hosts may contain any, and a diff shows it
        ("latin-1", "add “x” au lait"),  # a terminal without these quotes
    ],
)
def test_a_letter_that_cannot_be_shown_does_not_end_the_run(
    monkeypatch: pytest.MonkeyPatch, encoding: str, text: str
) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding, errors="strict"))
    data(text)
    sys.stdout.flush()
    assert buffer.getvalue().endswith(b" au lait\n")


# Plans and status


def test_a_plan_shows_changes_and_diffs_of_hosts_that_have_any(capsys: Capture) -> None:
    show_plans([PLAN, HostPlan("w2")], script=False)
    assert capsys.readouterr().out == (
        "w1\n  node.unit: write /x\n    -old\n    +new\n  roles.worker: restart u (no way back)\n\n"
    )


def test_a_plan_as_a_script(capsys: Capture) -> None:
    show_plans([PLAN], script=True)
    assert capsys.readouterr().out == (
        "w1\n# node.unit: write /x\ncat >/x\n\n# roles.worker: restart u\nsystemctl restart u\n\n"
    )


def test_a_plan_for_a_program(capsys: Capture) -> None:
    show_plans_as_json([PLAN, HostPlan("w2")])
    assert json.loads(capsys.readouterr().out) == [
        {
            "host": "w1",
            "changes": [
                {
                    "step": "node.unit",
                    "resource": "file /x",
                    "summary": "write /x",
                    "diff": "-old\n+new",
                    "restarts": None,
                    "way_back": True,
                },
                {
                    "step": "roles.worker",
                    "resource": "unit u",
                    "summary": "restart u",
                    "diff": "",
                    "restarts": "u",
                    "way_back": False,
                },
            ],
        },
        {"host": "w2", "changes": []},
    ]


def test_status_for_a_program(capsys: Capture) -> None:
    show_status_as_json(ROWS)
    assert json.loads(capsys.readouterr().out) == [
        {
            "host": "w1",
            "role": "worker",
            "unit": "airflow@worker.service",
            "active": "active",
            "sub": "running",
            "restarts": 1,
            "since": 1000,
            "version": "3.3.2",
            "healthy": True,
            "detail": "log port answers",
            "body": None,
        },
        {
            "host": "web1",
            "role": "webserver",
            "unit": "airflow@webserver.service",
            "active": "",
            "sub": "",
            "restarts": 0,
            "since": None,
            "version": None,
            "healthy": False,
            "detail": "the unit is not there",
            "body": None,
        },
    ]


def test_status_as_a_table(capsys: Capture) -> None:
    show_status(ROWS)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "host  role       unit       restarts  since  version  health",
        "w1    worker     active     1         2 h    3.3.2    healthy: log port answers",
        "web1  webserver  not there  0         never  ?        NOT HEALTHY: the unit is not there",
    ]


@pytest.mark.parametrize(
    "seconds, ago", [(-3, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (200000, "2 d")]
)
def test_since_when(capsys: Capture, seconds: int, ago: str) -> None:
    show_status([Health("worker", "ok", "x", unit="u", state=STATE, now=1000 + seconds, version="3", host="h")])
    assert f"  {ago}  " in capsys.readouterr().out


@pytest.mark.parametrize("detail", ["[bold]x[/bold]", "[/] ] ["])
def test_words_of_a_host_are_no_markup(capsys: Capture, detail: str) -> None:
    show_status([Health("worker", "waiting", detail, unit="u", state=STATE, now=0, version="[red]3", host="h")])
    assert detail in capsys.readouterr().out


def test_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    printer = JsonAlone()
    for part in ("[2026] log\n[{", '"a": 1}]\n', "more log"):
        printer.read(part)
    printer.close()
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ('[{"a": 1}]\n', "[2026] log\nmore log\n")


@pytest.mark.parametrize(
    "environment, coloured",
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_nothing_is_coloured_where_nobody_wants_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show_error(AerodromeError("wrong"))
    assert capsys.readouterr().err == ("\033[31merror: wrong\033[0m\n" if coloured else "error: wrong\n")
