"""The script that holds the fleet's lock, and what it prints; in real shells."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aerodrome.core.lock import Holder, lock_script, read_age, read_holder
from aerodrome.errors import AerodromeError

WHO = "o'hara@laptop: fab deploy"


def script(folder: Path, holder: str = WHO, patience: int = 20, lost: str = "60") -> str:
    """Return the script with a lock of its own."""
    text = lock_script(holder, patience).replace("/run/aerodrome", f"{folder}/aerodrome")
    return text.replace("timeout 60", f"timeout {lost}")


@contextmanager
def running(text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a script with an open descriptor 3, as a held channel has."""
    process = subprocess.Popen(
        ["sh", "-c", f"exec 3<&0 </dev/null; {text}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def end(process: subprocess.Popen[str]) -> int:
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(10)


def test_the_lock_is_taken_and_given_back(tmp_path: Path) -> None:
    with running(script(tmp_path)) as one:
        assert read_age(line(one)) > 1_000_000  # nobody ever had it
        record = tmp_path / "aerodrome" / "fleet.lock"
        assert record.read_text().split(" ", 1)[1] == WHO
        assert (record.stat().st_mode & 0o777, record.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        assert end(one) == 0
    assert record.read_text() == ""
    with running(script(tmp_path)) as next_one:
        assert read_age(line(next_one)) <= 2


def test_another_run_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    with running(script(tmp_path)) as one:
        line(one)
        with running(script(tmp_path, "b")) as two:
            told = read_holder(line(two))
            assert (told.who, told.seconds <= 2) == (WHO, True)
            end(one)
            assert read_age(line(two)) <= 1


def test_a_wait_ends_after_a_time(tmp_path: Path) -> None:
    with running(script(tmp_path)) as one:
        line(one)
        with running(script(tmp_path, "b", patience=1)) as two:
            assert line(two).startswith("@held ")
            assert two.wait(10) == 75


@pytest.mark.parametrize("sudden", [True, False], ids=["the script is killed", "the run is silent"])
def test_whatever_ends_a_run_frees_the_lock(tmp_path: Path, sudden: bool) -> None:
    with running(script(tmp_path, lost="1.5")) as one, running(f"sleep 0.3; {script(tmp_path, 'b')}") as two:
        line(one)
        line(two)
        assert one.stdin is not None
        for _ in range(3):  # dots keep it
            one.stdin.write(".")
            one.stdin.flush()
            time.sleep(0.7)
        assert one.poll() is None
        if sudden:
            one.kill()
        began = time.monotonic()
        assert line(two).startswith("@taken ")
        assert time.monotonic() - began < (0.5 if sudden else 3)


def test_what_is_not_as_expected() -> None:
    assert read_holder("@held 100 60 a b: fab deploy") == Holder("a b: fab deploy", 40)
    assert read_holder("@held 100 ") == read_holder("@held") == read_holder("@held x y z") == Holder("another run", 0)
    assert read_holder("@held 100 160 clock set back") == Holder("clock set back", 0)
    assert (read_age("@taken 5"), read_age("@taken -5")) == (5, -5)
    for words in ("@taken", "@taken x", "@taken --5", "@taken 5 6"):
        with pytest.raises(AerodromeError, match="unexpected answer"):
            read_age(words)
