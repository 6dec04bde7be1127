"""The live display while no host has answered yet: the real fab on its own terminal."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.screen import Screen, Terminal
from tests.tasks.conftest import FAB, ONE, PROJECT

AT_WORK = re.compile(r"  one +(\d+) s  connect")


@pytest.fixture
def silent(hosts: Path) -> Iterator[None]:
    """Make the only host a port of this machine that never answers; fab waits for it for a minute."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        hosts.write_text(
            ONE.replace("port: 1}", f"port: {port}}}").replace("connect_timeout: 5", "connect_timeout: 60")
        )
        yield


Start = Callable[..., Terminal]


@pytest.fixture
def start(hosts: Path) -> Iterator[Start]:
    """Start fab on a terminal."""
    started: list[Terminal] = []

    def begin(*arguments: str, width: int = 80, height: int = 24, **environment: str) -> Terminal:
        unset = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR")
        kept = {name: value for name, value in os.environ.items() if name not in unset}
        given = {**kept, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent), "TERM": "xterm", **environment}
        started.append(Terminal([str(FAB), *arguments], PROJECT, given, width, height))
        return started[-1]

    yield begin
    for terminal in started:
        terminal.close()


def at(seconds: int) -> Callable[[Screen], bool]:
    """Return a function that tells whether the screen shows this many seconds for the host."""

    def seen(screen: Screen) -> bool:
        found = AT_WORK.fullmatch(screen.lines[-1]) if screen.lines else None
        return bool(found) and int(found[1]) >= seconds  # type: ignore[index]

    return seen


def test_a_host_that_does_not_answer_is_shown_with_rising_seconds_until_ctrl_c(silent: None, start: Start) -> None:
    terminals = [start("deploy"), start("deploy", NO_COLOR="1")]
    for terminal in terminals:
        terminal.until(at(3))
        before = len(terminal.screen.lines)
        terminal.until(at(4))
        assert len(terminal.screen.lines) == before  # one line, redrawn
        terminal.type("\x03")
        assert terminal.end() == 130
        assert terminal.screen.lines[-1] == "interrupted; run the same command again to finish what was begun"
        assert not [line for line in terminal.screen.lines if "connect" in line]
        assert terminal.screen.cursor and terminal.echo
    assert not re.search(r"\x1b\[[\d;]*m", terminals[1].screen.raw)


def test_a_dumb_terminal_and_json_are_drawn_nowhere(silent: None, start: Start) -> None:
    dumb, program, drawn = start("deploy", TERM="dumb"), start("deploy", "--json"), start("deploy")
    drawn.until(at(4))
    for terminal in (dumb, program):
        with pytest.raises(AssertionError):
            terminal.until(at(1), seconds=1)
        assert "\x1b" not in terminal.screen.raw
        terminal.type("\x03")
        assert terminal.end() == 130
    assert '"outcome": "interrupted"' in program.screen.raw


def test_a_terminal_that_is_resized_is_drawn_as_it_is_then(silent: None, start: Start) -> None:
    terminal = start("deploy")
    terminal.until(at(2))
    terminal.resize(12, 5)
    terminal.until(lambda screen: screen.lines[-1].endswith("…") and len(screen.lines[-1]) == 12)
    terminal.resize(100, 30)
    terminal.until(at(4))
    terminal.type("\x03")
    assert terminal.end() == 130


def test_a_question_is_not_drawn_over(hosts: Path, silent: None, start: Start) -> None:
    hosts.write_text(
        hosts.read_text().replace("connect_timeout", "user: ops, sudo_password: !prompt , connect_timeout")
    )
    terminal = start("deploy")
    terminal.until(lambda screen: "ssh.sudo_password: " in screen.raw)
    with pytest.raises(AssertionError):
        terminal.until(at(1), seconds=4)
    assert not terminal.echo
    assert "\x1b" not in terminal.screen.raw
    terminal.type("one\n")
    terminal.until(lambda screen: "again: " in screen.raw)
    terminal.type("one\n")
    terminal.until(at(5))
    assert terminal.echo and "one" not in terminal.screen.lines[0].split(": ")[-1]
    terminal.type("\x03")
    assert terminal.end() == 130
    assert terminal.echo
