"""The script that holds the fleet's lock, and its output: in real shells, with the test's own history."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core import lock
from aerodrome.core.lock import Claim, lock_script, read_age, read_found

WHO = "o'hara@laptop"
ANN = Claim("20261124T181500Z-aaaa", WHO, "fab -H w1 deploy", "7 changes on 2 of 5 hosts")
BOB = replace(ANN, run="20261124T181600Z-bbbb", performer="bob@desk")
START = '{"event": "start", "run": "it\'s mine"}'


def lock_script_below(folder: Path, claim: Claim, start: str = START, patience: int = 20) -> str:
    """Return the script with all of its files below a folder."""
    return below(folder, lock_script(claim, start, patience))


def below(folder: Path, text: str) -> str:
    return text.replace("/run/aerodrome", f"{folder}/run").replace("/var/lib/aerodrome", f"{folder}/var")


def history(folder: Path, run: str = ANN.run) -> list[dict[str, object]]:
    """Return the lines of a run's history; fail unless each is whole."""
    return [json.loads(line) for line in (folder / f"var/history/{run}.jsonl").read_text().splitlines()]


Process = subprocess.Popen[str]


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def running(text: str, shell: str = "sh") -> Iterator[Process]:
    """Run a script with an open descriptor 3, as a held channel has."""
    process = subprocess.Popen(
        [shell, "-c", f"exec 3<&0 </dev/null; {text}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr, process.stdin):
            assert stream
            with suppress(BrokenPipeError):
                stream.close()


def line(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def says(process: Process, text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text)
    process.stdin.flush()


def event(process: Process, **given: object) -> None:
    text = json.dumps(given)
    says(process, f"event {len(text)}\n{text}")


def end(process: Process) -> int:
    """Close its descriptor 3, as happens when a controller ends."""
    assert process.stdin is not None
    process.stdin.close()
    return process.wait(10)


def test_the_lock_is_taken_and_given_back_and_the_run_is_written_down(tmp_path: Path, shell: str) -> None:
    with running(lock_script_below(tmp_path, ANN), shell) as one:
        assert read_age(line(one)) > 1_000_000  # nobody has ever had it
        record = tmp_path / "var" / "lock"
        assert json.loads(record.read_text()) == {
            "run": ANN.run,
            "performer": WHO,
            "what": "fab -H w1 deploy",
            "why": "7 changes on 2 of 5 hosts",
            "hold": False,
            "stuck": False,
        }
        assert history(tmp_path) == [json.loads(START)]
        modes = {path.stat().st_mode & 0o777 for path in (record, tmp_path / f"var/history/{ANN.run}.jsonl")}
        folders = {path.stat().st_mode & 0o777 for path in (tmp_path / "run", record.parent, tmp_path / "var/history")}
        assert (modes, folders) == ({0o600}, {0o700})
        event(one, event="stage", stage='it\'s "one"\\n$x `y`')
        says(one, ".\n")
        event(one, event="end")
        says(one, "leave\n")
        assert line(one) == "@left"
        assert one.wait(10) == 0
    assert not record.exists()
    assert history(tmp_path) == [
        json.loads(START),
        {"event": "stage", "stage": 'it\'s "one"\\n$x `y`'},
        {"event": "end"},
    ]
    with running(lock_script_below(tmp_path, BOB), shell) as next_one:
        assert read_age(line(next_one)) <= 2


def test_another_run_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
        with running(lock_script_below(tmp_path, BOB)) as two:
            word, _, rest = line(two).partition(" ")
            found = read_found(rest, alive=True)
            assert (word, found.claim, found.age <= 2) == ("@held", ANN, True)
            says(one, "leave\n")
            assert line(two) == "@found "
            says(two, ".\n.\ntake\n")
            assert read_age(line(two)) <= 1


def test_a_run_that_ended_while_it_waited_does_not_take_the_lock(tmp_path: Path, shell: str) -> None:
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
        with running(lock_script_below(tmp_path, BOB), shell) as two:
            assert line(two).startswith("@held ")
            says(two, ".\n")
            assert two.stdin is not None
            two.stdin.close()
            says(one, "leave\n")
            assert two.wait(10) == 76
    assert [path.name for path in (tmp_path / "var").rglob("*")] == ["history", f"{ANN.run}.jsonl"]


def test_a_wait_ends_after_a_time(tmp_path: Path) -> None:
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
        with running(lock_script_below(tmp_path, BOB, patience=1)) as two:
            assert line(two).startswith("@held ")
            assert two.wait(10) == 75
    assert not (tmp_path / f"var/history/{BOB.run}.jsonl").exists()


@pytest.mark.parametrize("how", ["the script is killed", "the run is silent", "the run ends"])
def test_whatever_ends_a_run_frees_the_lock_and_leaves_its_record(tmp_path: Path, how: str) -> None:
    text = lock_script_below(tmp_path, ANN).replace("timeout 60", "timeout 1.5")
    with running(text) as one, running(f"sleep 0.3; {lock_script_below(tmp_path, BOB)}") as two:
        line(one)
        assert line(two).startswith("@held ")
        for _ in range(3):  # dots keep it
            says(one, ".\n")
            time.sleep(0.7)
        assert one.poll() is None
        if how == "the script is killed":
            one.kill()
        elif how == "the run ends":
            end(one)
        began = time.monotonic()
        word, _, rest = line(two).partition(" ")
        assert (word, read_found(rest).claim) == ("@found", ANN)
        assert time.monotonic() - began < (3 if how == "the run is silent" else 1)
        events = [each["event"] for each in history(tmp_path)]
        assert events == ["start"] + ["lost"] * (how != "the script is killed")


def test_what_a_run_has_left_is_taken_over_only_on_a_word(tmp_path: Path) -> None:
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
    for word, code in (("", 76), ("no\n", 76)):
        with running(lock_script_below(tmp_path, BOB)) as two:
            assert line(two).startswith("@found ")
            says(two, word)
            assert end(two) == code
        assert json.loads((tmp_path / "var/lock").read_text())["run"] == ANN.run
        assert not (tmp_path / f"var/history/{BOB.run}.jsonl").exists()
    with running(lock_script_below(tmp_path, BOB)) as two:
        assert line(two).startswith("@found ")
        says(two, "take\n")
        assert line(two).startswith("@taken ")
        assert json.loads((tmp_path / "var/lock").read_text())["run"] == BOB.run


def test_a_record_can_be_replaced_and_left(tmp_path: Path, shell: str) -> None:
    kept = replace(ANN, hold=True, why="new switches").record()
    with running(lock_script_below(tmp_path, ANN), shell) as one:
        line(one)
        says(one, f"record {len(kept)}\n{kept}stay\n")
        assert (line(one), one.wait(10)) == ("@left", 0)
    assert (tmp_path / "var/lock").read_text() == kept + "\n"


@pytest.mark.parametrize("moment", [0.0, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08])
def test_no_record_is_torn_whenever_the_host_s_script_is_killed(tmp_path: Path, shell: str, moment: float) -> None:
    with running(lock_script_below(tmp_path, ANN), shell) as one:
        line(one)
        for number in range(20):
            event(one, event="stage", number=number, padding="x" * 20_000)
        time.sleep(moment)
        one.kill()
        one.wait()
    found = history(tmp_path)
    assert [each.get("number") for each in found] == [None, *range(len(found) - 1)]
    assert read_found("0 " + (tmp_path / "var/lock").read_text()).claim == ANN


@pytest.mark.parametrize("cut", [3, 9, 40])
def test_an_event_that_breaks_off_is_not_written(tmp_path: Path, shell: str, cut: int) -> None:
    with running(lock_script_below(tmp_path, ANN), shell) as one:
        line(one)
        text = json.dumps({"event": "end", "padding": "x" * 50})
        says(one, f"event {len(text)}\n{text}"[:cut])
        end(one)
    assert [each["event"] for each in history(tmp_path)] == ["start", "lost"]


def test_only_the_newest_records_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "KEPT", 3)
    folder = tmp_path / "var" / "history"
    folder.mkdir(parents=True)
    for day in range(1, 6):
        (folder / f"2026110{day}T000000Z-0000.jsonl").touch()
    (folder / "20261105T000000Z-0000.jsonl.new").touch()  # left by a killed script
    with running(lock_script_below(tmp_path, ANN)) as one:
        line(one)
    assert sorted(path.name[:8] for path in folder.iterdir()) == ["20261104", "20261105", "20261124"]


def on_a_full_disk(folder: Path, shell: str, size: str) -> list[str]:
    """Return a command line that runs a shell in which `var` is a file system of that size; only root can do this."""
    mount = f"mount -t tmpfs -o size={size},mode=0700 tmpfs {folder}/var"
    return ["unshare", "--mount", "sh", "-c", f'mkdir -p {folder}/var && {mount} && exec {shell} -c "$1"', "sh"]


root = pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")


@root
def test_a_lock_whose_record_cannot_be_written_is_not_taken(tmp_path: Path, shell: str) -> None:
    fill = f"mkdir -p {tmp_path}/var/history; head -c 1M /dev/zero >{tmp_path}/var/fill 2>/dev/null; "
    text = f"exec 3<&0 </dev/null; {fill}{lock_script_below(tmp_path, ANN)}"
    done = subprocess.run(
        [*on_a_full_disk(tmp_path, shell, "64k"), text], stdin=subprocess.PIPE, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (74, "")
    assert "No space left on device" in done.stderr


@root
def test_what_cannot_be_written_any_more_is_said_and_what_was_written_stays(tmp_path: Path, shell: str) -> None:
    text = json.dumps({"event": "stage", "padding": "x" * 100_000})
    words = f"event {len(text)}\n{text}event 16\n" + '{"event": "end"}' + "leave\n"
    show = f"cat {tmp_path}/var/history/*.jsonl; ls {tmp_path}/var {tmp_path}/var/history"
    script = f"exec 3<&0 </dev/null; ({lock_script_below(tmp_path, ANN)}); {show}"
    done = subprocess.run(
        [*on_a_full_disk(tmp_path, shell, "64k"), script], input=words, capture_output=True, text=True
    )
    taken, unrecorded, left, *rest = done.stdout.splitlines()
    assert (taken[:6], unrecorded, left) == ("@taken", "@unrecorded", "@left")
    assert [json.loads(each)["event"] for each in rest[:2]] == ["start", "end"]
    assert not [name for name in rest[2:] if name.endswith(".new") or name == "lock"]
