"""Commands that print secrets."""

from __future__ import annotations

import pytest

from probes.commands import asked, main


@pytest.mark.parametrize(
    "command, problem",
    [
        ("printf %s hunter2", ""),
        ("echo hunter2", "it prints space or a newline around the value"),
        ("true", "it prints nothing"),
        ("false", "Command '['false']' returned non-zero exit status 1."),
        ("'", "No closing quotation"),
    ],
)
def test_what_is_wrong_with_an_answer(monkeypatch: pytest.MonkeyPatch, command: str, problem: str) -> None:
    monkeypatch.setenv("X_CMD", command)
    monkeypatch.delenv("AIRFLOW_HOME", raising=False)
    assert asked("X_CMD") == problem


def test_the_first_that_fails_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_CMD", "printf a")
    monkeypatch.setenv("B_CMD", "true")
    with pytest.raises(SystemExit) as ended:
        main(["A_CMD", "B_CMD", "C_CMD"])
    assert ended.value.code == "B_CMD: it prints nothing"
    main(["A_CMD"])
