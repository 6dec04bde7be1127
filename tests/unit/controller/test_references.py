"""The sources of values: !env, !file, !command and !prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.controller import references
from aerodrome.controller.references import resolve
from aerodrome.errors import InvalidInput
from aerodrome.secrets import Reference
from tests.unit.controller.conftest import WHERE, Terminal, reference

pytestmark = pytest.mark.usefixtures("folder")


def failure(wanted: Reference) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        resolve(wanted)
    return caught.value.message, caught.value.hint


def test_env_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p 'w\"$%\n")
    assert resolve(reference("env", "PW")) == "p 'w\"$%\n"


def test_env_that_is_missing_or_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PW", raising=False)
    assert failure(reference("env", "PW")) == (
        f"{WHERE}: !env PW: the variable is not set", "export PW=… before you run fab",
    )  # fmt: skip
    monkeypatch.setenv("PW", "")
    assert failure(reference("env", "PW"))[0] == f"{WHERE}: !env PW: the variable is empty"


@pytest.mark.parametrize(
    "content, value", [("a b\n", "a b"), ("a\n\n", "a\n"), ("a", "a"), ("ü\r\n", "ü"), (" a ", " a ")]
)
def test_a_file_is_read_without_its_last_newline(folder: Path, content: str, value: str) -> None:
    (folder / "pw").write_bytes(content.encode())
    assert resolve(reference("file", "pw", folder)) == value
    assert resolve(reference("file", str(folder / "pw"), "/nowhere")) == value


def test_a_file_of_the_home_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "pw").write_text("x")
    assert resolve(reference("file", "~/pw", "/nowhere")) == "x"


def test_a_file_that_cannot_be_used(folder: Path) -> None:
    assert failure(reference("file", "pw", folder))[0] == f"{WHERE}: !file: there is no file {folder}/pw"
    (folder / "pw").write_text("\n")
    assert failure(reference("file", "pw", folder))[0] == f"{WHERE}: !file is empty"
    (folder / "pw").write_bytes(b"a\0b")
    message = f"{WHERE}: !file contains a control character; only tabs and newlines are allowed"
    assert failure(reference("file", "pw", folder))[0] == message


def test_a_command_runs_without_a_shell() -> None:
    assert resolve(reference("command", "printf '%s\\n' '$HOME;' \"a  b\"")) == "$HOME;\na  b"


def test_a_command_that_fails_shows_its_last_words_and_not_its_output(folder: Path) -> None:
    (folder / "vault").write_text("#!/bin/sh\necho hunter2\necho first >&2\necho no route to vault >&2\nexit 3\n")
    (folder / "vault").chmod(0o755)
    message, hint = failure(reference("command", "./vault --token=hunter3", folder))
    assert message == f"{WHERE}: !command ./vault: exit code 3: no route to vault"
    assert "hunter" not in message + hint


def test_a_command_that_does_not_exist_or_says_nothing() -> None:
    message = f"{WHERE}: !command no-such-program: cannot run: No such file or directory"
    assert failure(reference("command", "no-such-program a"))[0] == message
    assert failure(reference("command", "true"))[0] == f"{WHERE}: !command is empty"
    assert failure(reference("command", "false"))[0] == f"{WHERE}: !command false: exit code 1"


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "COMMAND_TIMEOUT", 0.1)
    assert failure(reference("command", "sleep 60"))[0] == f"{WHERE}: !command sleep: no answer within 0.1 s"


def test_a_prompt_asks_twice_and_again_when_the_answers_differ(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.answers = ["one", "two", "", "three", "three"]
    assert resolve(reference("prompt", "database.password")) == "three"
    first, again = "database.password: ", "database.password, again: "
    assert terminal.asked == [first, again, first, first, again]
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "They do not match.\nNothing was entered.\n")


@pytest.mark.parametrize("answers", [["a", "b"] * 3, ["a"], []])
def test_a_prompt_gives_up(terminal: Terminal, answers: list[str]) -> None:
    terminal.answers = answers
    assert failure(reference("prompt", "x"))[0] == f"{WHERE}: !prompt did not get the same answer twice"


def test_a_prompt_needs_a_terminal() -> None:
    assert failure(reference("prompt", "x")) == (
        f"{WHERE}: !prompt needs a terminal",
        "run fab in a terminal, or use !env NAME, !file PATH or !command",
    )
