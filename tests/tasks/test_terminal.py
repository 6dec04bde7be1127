"""The operator's terminal and streams after fab is interrupted, or if nobody reads its output."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

from tests.tasks.conftest import FAB, ONE, PROJECT


def said(terminal: int, words: str, seconds: float = 30) -> str:
    """Read from a terminal until it shows something."""
    text, deadline = "", time.monotonic() + seconds
    while words not in text:
        assert time.monotonic() < deadline, text
        if select.select([terminal], [], [], 0.2)[0]:
            text += os.read(terminal, 4096).decode()
    return text


# The main thread asks the first one, a host's thread the second.
PROMPTS = {
    "database.password": ("setup-db", ONE + "database: {password: !prompt }\n"),
    "ssh.sudo_password": ("run", ONE.replace("connect_timeout", "user: ops, sudo_password: !prompt , connect_timeout")),
}


@pytest.mark.parametrize("key", PROMPTS)
def test_ctrl_c_at_a_question_for_a_secret_gives_the_echo_back(hosts: Path, key: str) -> None:
    task, text = PROMPTS[key]
    hosts.write_text(text)
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(PROJECT)
        environment = {**os.environ, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent)}
        os.execve(FAB, [str(FAB), task, *(["true"] if task == "run" else [])], environment)
    try:
        said(terminal, f"{key}: ")
        echo = termios.tcgetattr(terminal)[3] & termios.ECHO
        assert not echo
        os.write(terminal, b"\x03")
        text = said(terminal, "interrupted")
        assert "Traceback" not in text
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 130
        assert termios.tcgetattr(terminal)[3] & termios.ECHO
    finally:
        os.close(terminal)


@pytest.mark.parametrize(
    "where, code, says",
    [
        ("| head -1", 141, ""),
        (">/dev/full", 1, "error: cannot write to stdout: No space left on device\n"),
        (">&-", 0, ""),
    ],
)
def test_a_list_of_tasks_that_nobody_takes_is_one_line_at_most(hosts: Path, where: str, code: int, says: str) -> None:
    # A pipe that is closed before anything is written, like a pipe to head, but without a race.
    command = f"{FAB} --list {where}" if "head" not in where else f"(sleep 1; exec {FAB} --list) | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=PROJECT,
        env={**os.environ, "AERODROME_HOSTS": str(hosts)},
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.parametrize("where, says", [(">&-", "Bad file descriptor"), (">/dev/full", "No space left on device")])
def test_an_answer_that_nobody_takes_is_one_line(hosts: Path, where: str, says: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{FAB} status {where}"],
        cwd=PROJECT,
        env={**os.environ, "AERODROME_HOSTS": str(hosts), "HOME": str(hosts.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: cannot write to stdout: {says}"
    assert "Traceback" not in done.stderr and "ignored" not in done.stderr
