"""The one place that prints."""

from __future__ import annotations

import io
import json
import os
import sys

import pytest

from aerodrome.components.health import Health
from aerodrome.core.event import ChangeBegan, Healthy, Killed, Note, Waiting
from aerodrome.core.plan import HostPlan, PlannedChange
from aerodrome.core.resource import Change
from aerodrome.errors import HostError
from aerodrome.report import sink
from aerodrome.report.json import show_plans_as_json
from aerodrome.report.output import Prefixed, Through
from aerodrome.report.sink import NoOutput, Paint, can_draw, data, escape, one_line, say
from aerodrome.report.status import show_status
from aerodrome.report.terminal import Terminal, show_error, still_waiting
from aerodrome.resources.systemd import UnitState

Capture = pytest.CaptureFixture[str]

EVIL = "\033]0;title\007\033[2J\r\x00\x7f\x9b31m\u202e\u2066\u200b\u2028\ufeff"
SHOWN = r"\x1b]0;title\x07\x1b[2J\x0d\x00\x7f\x9b31m\u202e\u2066\u200b\u2028\ufeff"


@pytest.mark.parametrize(
    "text, shown",
    [
        (EVIL, SHOWN),
        ("plain\tand\nlines\r\n", "plain\tand\nlines\n"),
        ("é ☃ 日本 \u00a0 \u3000 🎉 “x”", "é ☃ 日本 \u00a0 \u3000 🎉 “x”"),
        ("caf\udce9", r"caf\udce9"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_a_terminal_could_obey_or_hide_is_escaped(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_every_character_passes_or_is_escaped_to_plain_ascii() -> None:
    for number in range(0x110000):
        letter = chr(number)
        shown = escape(letter)
        assert shown == letter or (shown[0] == "\\" and shown.isascii() and shown.isprintable()), number
    for number in [*range(0x20), *range(0x7F, 0xA0)]:
        assert escape(chr(number)) != chr(number) or chr(number) in "\t\n", number


def test_a_line_of_a_host_is_never_more_than_one(capsys: Capture) -> None:
    assert one_line("a\nno changes\r\nb") == r"a\nno changes\nb"
    health = Health("worker", "ok", "x\nno changes", unit="u", state=UnitState(), now=0, version="", host="w1")
    report = Terminal(["w1"])
    report.emit(Healthy("w1", "roles.worker", "x\nno changes"))
    report.emit(ChangeBegan("w1", "s", "r", "y\nno changes"))
    report.emit(Waiting("w1", "z\nno changes"))
    report.emit(Note("w1", "z\nno changes"))
    report.emit(Killed("w1", "s", "z\nno changes"))
    still_waiting({"w1": "z\nno changes"}, 10)
    show_error(HostError("w1", "s", "m\nno changes", "h\nno changes", "d\nno changes"))
    show_status([health])
    out, err = capsys.readouterr()
    assert "no changes" not in (out + err).splitlines()


def test_every_sink_escapes(capsys: Capture) -> None:
    say(EVIL)
    data(EVIL)
    Terminal(["w1"]).emit(Waiting("w1", EVIL))
    show_error(HostError("w1", EVIL, EVIL, EVIL, EVIL))
    printers = [Through(), Through(say), Prefixed("w1", 2)]
    for printer in printers:
        printer.read(f"{EVIL}\n{EVIL}")
        printer.close()
    show_status(
        [
            Health(
                "worker",
                "waiting",
                f"[bold]{EVIL}",
                unit="u",
                state=UnitState(active=EVIL),
                now=0,
                version="[red]3",
                host="w1",
            )
        ]
    )
    out, err = capsys.readouterr()
    assert all(letter.isprintable() or letter in "\t\n" for letter in out + err)
    assert "[red]3" in out and "[bold]" in out


def test_json_stays_json_and_holds_nothing_that_a_terminal_could_obey(capsys: Capture) -> None:
    diff = f"{EVIL} é ☃ \udce9 \U000e0041"
    show_plans_as_json([HostPlan("w1", (PlannedChange("s", "r", Change("x", "y", diff)),))])
    out = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert "é ☃" in out
    assert json.loads(out)[0]["changes"][0]["diff"] == diff


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_our_own_colours_work_where_there_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    say(Paint("red \033[2J", "31"), " plain")
    show_error(HostError("w1", "s", "m", "h"))
    assert screen.getvalue() == "\033[31mred \\x1b[2J\033[0m plain\n\033[31mw1: s: m\033[0m → h\n"


@pytest.mark.parametrize(
    "term, is_terminal, able",
    [
        ("xterm-256color", True, True),
        ("linux", True, True),
        ("dumb", True, False),
        ("unknown", True, False),
        ("", True, False),
        ("xterm", False, False),
    ],
)
def test_where_lines_can_be_drawn(monkeypatch: pytest.MonkeyPatch, term: str, is_terminal: bool, able: bool) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    assert can_draw() is able


def test_colours_are_left_out_where_there_is_none(capsys: Capture) -> None:
    data(Paint("bold", "1"))
    assert capsys.readouterr().out == "bold\n"


# Readers that have disappeared


class Broken(io.StringIO):
    encoding = "utf-8"

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


GONE = BrokenPipeError(32, "Broken pipe")
FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    "stdout, why, code",
    [
        (Broken(GONE), "", 141),
        (Broken(FULL), "cannot write to stdout: No space left on device", 1),
        (None, "cannot write to stdout: Bad file descriptor", 1),
    ],
)
def test_a_stdout_that_takes_nothing_is_no_fault_of_a_host(
    monkeypatch: pytest.MonkeyPatch, stdout: io.StringIO | None, why: str, code: int
) -> None:
    monkeypatch.setattr(sys, "stdout", stdout)
    with pytest.raises(NoOutput) as caught:
        data("x")
    assert (caught.value.why, caught.value.exit_code) == (why, code)
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize("stderr", [Broken(GONE), Broken(FULL), None])
def test_what_cannot_be_told_stops_nobody(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO | None) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    say("x")


def test_a_command_goes_on_without_a_reader_and_a_journal_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(GONE))
    through = Through()
    through.read("one\n")
    through.read("two\n")
    through.close()
    through.check()
    with pytest.raises(NoOutput):
        Prefixed("w1", 2, reads=True).read("one\n")

    monkeypatch.setattr(sys, "stdout", Broken(FULL))
    through = Through()
    through.read("one\n")
    with pytest.raises(NoOutput, match="No space left"):
        through.check()


def test_an_endless_line_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    through = Through(kept.append)
    for _ in range(10):
        through.read("x" * 30_000)
    assert len(kept) == 3
    through.close()
    assert "".join(kept) == "x" * 300_000


def test_what_is_in_a_buffer_when_its_reader_goes_is_dropped(tmp_path: object) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        stream.write("x")
        sink.discard(stream)
    # closing it has flushed: without a BrokenPipeError


def test_many_hosts_that_are_waited_for_are_a_few_lines(capsys: Capture) -> None:
    still_waiting({f"w{number}": "node.install: install Airflow" for number in range(40)}, 20)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "waiting for w0: node.install: install Airflow (20 s)"
    assert len(lines) == 6
    assert lines[5].startswith("waiting for 35 more hosts: w5, w6, ") and lines[5].endswith(", w24 …")
