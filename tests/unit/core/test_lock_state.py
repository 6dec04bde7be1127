"""The fleet's lock as a host shows it: whose it is, or that its record makes no sense."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.lock import Found, LockState, described, long, read_age, read_found
from aerodrome.errors import AerodromeError
from tests.unit.core.test_lock import ANN, WHO, below, end, line, lock_script_below, running, shell

__all__ = ["shell"]


# Parsing


def test_what_is_not_as_expected() -> None:
    assert read_found(f"40 {ANN.record()}") == Found(ANN, 40)
    assert read_found(f"-60 {ANN.record()}").age == 0  # the clock was set back
    for text in ("", "40", "40 ", "40 {", "x {}", '40 {"run": 1}', "40 []", "40 " + "[" * 100_000):
        found = read_found(text)
        assert (found.claim, len(found.text) <= 200) == (None, True)
    assert (read_age("@taken 5"), read_age("@taken -5")) == (5, -5)
    for words in ("@taken", "@taken x", "@taken --5", "@taken 5 6"):
        with pytest.raises(AerodromeError, match="unexpected answer"):
            read_age(words)


def test_a_claim_of_several_lines_is_read_as_one_of_a_few_words() -> None:
    claim = replace(ANN, why="a\nb: " + "x" * 5000)
    found = read_found(f"1 {claim.record()}").claim
    assert found is not None
    assert (found.why[:6], len(found.why)) == ("a b: x", 300)


# Whose is it?


Ask = Callable[[], Found | None]


@pytest.fixture
def ask(tmp_path: Path, shell: str) -> Ask:
    def asked() -> Found | None:
        script = below(tmp_path, LockState().probe())
        done = subprocess.run([shell, "-c", script], capture_output=True, text=True, errors="surrogateescape")
        assert done.stderr == ""
        return LockState().read(done.stdout)

    return asked


def test_a_lock_that_is_free_alive_or_left(tmp_path: Path, ask: Ask) -> None:
    assert ask() is None
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
        found = ask()
        assert found is not None
        assert (found.claim, found.alive) == (ANN, True)
        end(one)
    found = ask()
    assert found is not None
    assert (found.claim, found.alive) == (ANN, False)
    (tmp_path / "run" / "fleet.lock").unlink()  # the machine was rebooted
    again = ask()
    assert again is not None
    assert (again.claim, again.alive) == (ANN, False)
    assert not (tmp_path / "run" / "fleet.lock").exists()  # it only reads


@pytest.mark.parametrize("record", [b"", b"\0" * 700, b'{"run": "2026', b"\xff\x1b[2J\n\n"])
def test_a_record_that_was_damaged_is_said_to_be_broken(tmp_path: Path, ask: Ask, record: bytes) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "lock").write_bytes(record)
    found = ask()
    assert found is not None
    assert (found.claim, found.alive) == (None, False)
    assert re.match(
        r"the record of the fleet's lock is broken \(/var/lib/aerodrome/lock, \d s old\): ", described(found)
    )


def test_how_it_is_described() -> None:
    assert described(Found(ANN, 60, alive=True)) == f"{WHO} has been changing the fleet for 60 s: fab -H w1 deploy"
    left = f"a run of {WHO} that began 4 min ago did not end: fab -H w1 deploy (20261124T181500Z-aaaa)"
    assert described(Found(ANN, 250)) == left
    assert described(Found(replace(ANN, stuck=True), 250)) == left.replace(
        "did not end", "failed, and so did its way back"
    )
    assert (
        described(Found(replace(ANN, hold=True, why="new switches"), 9000))
        == f"{WHO} has held the fleet for 2 h: new switches"
    )
    (finding,) = LockState().judge(f"left\n3 {ANN.record()}\n")
    assert (finding.verdict, finding.detail.startswith("the fleet's lock: a run of o'hara")) == ("warning", True)
    assert LockState().judge("\n") == []


@pytest.mark.parametrize(
    "seconds, text", [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_a_duration(seconds: int, text: str) -> None:
    assert long(seconds) == text
