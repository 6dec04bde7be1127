"""Ways back as hosts keep them: what is written, what is read of it, and what it does in a real shell."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from aerodrome.core import entries, plan
from aerodrome.core.entries import (
    Place,
    backwards,
    list_script,
    read_list,
    read_states,
    states_script,
    take_back_script,
    written,
)
from aerodrome.core.plan import PlannedChange
from aerodrome.core.resource import PRELUDE, Change, quote
from aerodrome.core.undo import NOTHING, Entry, Undo
from tests.unit.make import Shell

RUN = "20261124T181500Z-1f3a"
PLACE = Place(RUN, 2, "settings")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "ROOT", f"{tmp_path}/undo")
    monkeypatch.setattr(entries, "LOCK", plan.LOCK.replace("/run/aerodrome", f"{tmp_path}/run"))


def undo(path: Path, payload: bytes = b"old\xff\0secret\n") -> Undo:
    name = quote(str(path))
    script = f"head -c {len(payload)} <&3 >{name}"
    state = f"if [ ! -e {name} ]; then echo nothing; elif [ -s {name} ]; then cat {name}; else echo empty; fi"
    return Undo(f"put back {path.name}", script, state, "nothing", "new it's", payload, ("/a", "/b"), True, "u", True)


def planned(change: Change) -> PlannedChange:
    return PlannedChange("node.step", "file /x", change)


def write(sh: Shell, *changes: Change, run: str = RUN) -> None:
    apply = written([planned(each) for each in changes], Place(run, 2, "settings"), lambda text: text)
    done = sh(f"set -eu\n{apply.script}\necho rest; cat <&3", apply.payload + b"payload")
    assert (done.returncode, done.stdout) == (0, b"rest\npayload"), done


def test_an_entry_as_a_whole(tmp_path: Path) -> None:
    way = Undo("put back /x", "put", "look", "b", "l", b"content")
    change = Change("write /x", "s", "--- /x\n+++ /x\n@@ -1,2 +1 @@\n-pw1\n+pw2", undo=way)
    apply = written([planned(change)], PLACE, lambda text: text.replace("pw", "**"))
    first, head, rest = apply.payload.split(b"\n", 2)
    assert json.loads(head) == {
        "place": 2,
        "stage": "settings",
        "step": "node.step",
        "resource": "file /x",
        "change": "write /x",
        "summary": "put back /x",
        "diff": "--- /x\n+++ /x\n@@ -1 +1,2 @@\n-**2\n+**1",
        "subject": hashlib.sha256(b"look").hexdigest()[:16],
        "before": "b",
        "left": "l",
        "after": [],
        "late": False,
        "restarts": "",
        "interrupts": False,
    }
    assert first == f"aerodrome-undo {len(head) + 1} 4 3".encode()
    assert rest == b"lookputcontent"
    assert b"content" not in apply.script.encode()


def test_nothing_is_written_of_what_leaves_nothing_or_comes_after_a_gate() -> None:
    left, unknown, gate = Change("wait", "w", undo=NOTHING), Change("later", ""), Change("log in", "", gate=True)
    assert written([planned(each) for each in (left, unknown, gate, Change("x", "x"))], PLACE, str).script == ""


def test_what_is_written_is_read_and_does_it(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "it's"
    path.write_text("new it's")
    write(sh, Change("write x", "s", undo=undo(path)), Change("install y", "s"))
    write(sh, Change("again", "s"))
    names = ["0001", "0002", "0003"]
    assert sorted(each.name for each in (tmp_path / "undo" / RUN).iterdir()) == names
    assert {each.stat().st_mode & 0o777 for each in (tmp_path / "undo" / RUN).iterdir()} == {0o600}
    assert (tmp_path / "undo" / RUN).stat().st_mode & 0o777 == 0o700

    done = sh(list_script(RUN, "n0nce"))
    assert b"secret" not in done.stdout
    found, states = read_list(done.stdout.decode(), "n0nce")
    assert [(each.number, each.change, each.summary) for each in found] == [
        ("0001", "write x", "put back it's"),
        ("0002", "install y", ""),
        ("0003", "again", ""),
    ]
    assert found[0] == Entry(
        "0001", 2, "settings", "node.step", "file /x", "write x", "put back it's", "",
        found[0].subject, "nothing", "new it's", ("/a", "/b"), True, "u", True,
    )  # fmt: skip
    assert states == {"0001": "new it's", "0002": "", "0003": ""}
    assert read_states(sh(states_script(RUN, ["0001"])).stdout.decode()) == {"0001": "new it's"}

    path.write_text("edited\n")
    refused = sh(f"set -eu\n{take_back_script(RUN, found[0], force=False)}")
    assert (refused.returncode, refused.stdout) == (1, b"file /x has been changed since that run\n")
    assert path.read_text() == "edited\n"
    forced = sh(f"{PRELUDE}set -eu\n{take_back_script(RUN, found[0], force=True)}")
    assert forced.returncode == 0
    assert path.read_bytes() == b"old\xff\0secret\n"
    path.write_text("new it's")
    assert sh(f"set -eu\n{take_back_script(RUN, found[0], force=False)}").returncode == 0
    assert path.read_bytes() == b"old\xff\0secret\n"


def test_a_way_back_that_fails_is_a_change_that_fails(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    write(sh, Change("x", "s", undo=Undo("x", f"false\ntouch '{path}'", "echo state", "b", "state")))
    (entry,), _ = read_list(sh(list_script(RUN, "n0nce")).stdout.decode(), "n0nce")
    assert sh(f"set -eu\n{{\n{take_back_script(RUN, entry, False)}\n}} 9<&-\necho on").stdout == b""
    assert not path.exists()


def test_the_ten_newest_runs_are_kept(sh: Shell, tmp_path: Path) -> None:
    for number in range(12):
        write(sh, Change("x", "s"), run=f"202611{number + 10}T181500Z-1f3a")
    assert sorted(each.name[6:8] for each in (tmp_path / "undo").iterdir()) == [str(each) for each in range(12, 22)]


def test_nothing_is_changed_if_entries_do_not_arrive_whole(sh: Shell, tmp_path: Path) -> None:
    apply = written([planned(Change("x", "s", undo=undo(tmp_path / "x")))], PLACE, str)
    done = sh(f"set -eu\n{apply.script}\necho went on", apply.payload[:-1])
    assert done.returncode != 0 and done.stdout == b""
    assert list((tmp_path / "undo" / RUN).glob("[0-9]*")) == []
    assert read_list(sh(list_script(RUN, "n0nce")).stdout.decode(), "n0nce") == ([], {})


def test_a_run_that_a_host_does_not_know(sh: Shell) -> None:
    assert read_list(sh(list_script(RUN, "n0nce")).stdout.decode(), "n0nce") == ([], {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n@n0nce 0001 x\n{}",
        "\n@n0nce ../1 x\n{}\n@n0nce end\n",
        "\n@n0nce 0001 x\n{}\n@n0nce end\n",
        "\n@n0nce 0001 x\n[]\n@n0nce end\n",
        "\n@n0nce 0001 x\n\n@n0nce end\n",
        '\n@n0nce 0001 x\n{"stage": 1, "place": "x"}\n@n0nce end\n',
    ],
)
def test_what_makes_no_sense_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, LookupError, TypeError)):
        read_list(text, "n0nce")


def test_a_broken_entry_is_not_run(sh: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "undo" / RUN
    folder.mkdir(parents=True)
    (folder / "0001").write_text(f"touch '{tmp_path}/x'\n")
    entry = Entry("0001", 1, "s", "s", "file /x", "c", "u")
    assert sh(f"set -eu\n{take_back_script(RUN, entry, True)}").returncode != 0
    assert read_list(sh(list_script(RUN, "n0nce")).stdout.decode(), "n0nce") == ([], {})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "diff, other",
    [
        ("", ""),
        ("-/a -> x\n+/a -> y", "-/a -> y\n+/a -> x"),
        (
            "--- /x\n+++ /x\n@@ -1,3 +1,2 @@\n a\n-b\n-c\n+d\n e",
            "--- /x\n+++ /x\n@@ -1,2 +1,3 @@\n a\n-d\n+b\n+c\n e",
        ),
    ],
)
def test_a_diff_the_other_way_round(diff: str, other: str) -> None:
    assert backwards(diff) == other
