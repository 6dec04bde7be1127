"""Blocks in files of others: the scripts, and what they do in a real shell."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.block import Block
from aerodrome.resources.files import write_into, write_whole
from tests.unit.make import ME, MY_GROUP, Shell, apply, only_change, seen, there_and_back

BLOCK = Block("/etc/hosts", ("10.0.0.1 db1", "10.0.0.2 s1"))
OURS = "# BEGIN aerodrome\n10.0.0.1 db1\n10.0.0.2 s1\n# END aerodrome\n"


@pytest.mark.parametrize(
    "before, after",
    [
        ("", OURS),
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n" + OURS),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\n" + OURS),
        (OURS, OURS),
        ("a\n# BEGIN aerodrome\nold\n# END aerodrome\nb\n", "a\n" + OURS + "b\n"),
        # A last line of others that has no newline gets none; ours has one.
        ("a\n# BEGIN aerodrome\nold\n# END aerodrome\nb", "a\n" + OURS + "b"),
        ("a\n# BEGIN aerodrome\nold\n# END aerodrome", "a\n" + OURS),
        (OURS + "b", OURS + "b"),
        ("# END other\n# BEGIN other\n", "# END other\n# BEGIN other\n" + OURS),
    ],
)
def test_a_block_takes_its_place_and_leaves_the_rest(before: str, after: str) -> None:
    assert BLOCK.placed_in(before) == after


@pytest.mark.parametrize(
    "others",
    [
        "a\r\nb\r\n",
        "# page one\f# page two\n",
        "# a\u2028host all all all trust\n",
        "\n\n  indented\t\n\n",
        "caf\udce9\n",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_lines_of_others_stay_as_they_are(others: str, first: bool) -> None:
    block = Block("/etc/hosts", BLOCK.lines, first)
    assert block.placed_in(others) == (OURS + others if first else others + OURS)


def test_a_block_may_stand_first() -> None:
    assert Block("/x", ("b",), first=True).placed_in("a\n") == "# BEGIN aerodrome\nb\n# END aerodrome\na\n"
    assert Block("/x", ("b",), first=True).placed_in("a") == "# BEGIN aerodrome\nb\n# END aerodrome\na"


@pytest.mark.parametrize(
    "text", ["# BEGIN aerodrome\na\n", "a\n# END aerodrome\n", "# END aerodrome\n# BEGIN aerodrome\n"]
)
def test_a_lone_marker_is_not_guessed_about(text: str) -> None:
    with pytest.raises(AerodromeError, match="only one of the markers"):
        BLOCK.placed_in(text)


def test_a_block_in_a_file_that_is_there_as_a_whole() -> None:
    change = only_change(BLOCK, "regular file|root|adm|664\n127.0.0.1 localhost\n")
    assert change.summary == "update the block in /etc/hosts"
    assert change.script == (
        # printf '127.0.0.1 localhost\n' | sha256sum
        "[ \"$(sha256sum </etc/hosts)\" = '081ef9d5367595d16e30b4b4549d9f43537320508b4ce0788963e10e4f808857  -' ]"
        " || { echo '/etc/hosts has been changed in the meantime: run again'; exit 1; }\n"
        + write_whole("/etc/hosts", f"127.0.0.1 localhost\n{OURS}", "root", "adm", 0o664)
    )


def test_a_block_makes_a_file_that_is_missing() -> None:
    assert only_change(BLOCK, "").script == write_whole("/etc/hosts", OURS, "root", "root", 0o644)


def test_a_block_does_not_follow_a_link() -> None:
    with pytest.raises(AerodromeError, match="is a symbolic link, but should be a file"):
        BLOCK.changes(Seen("symbolic link|root|root|777\n127.0.0.1 localhost\n"))


@pytest.mark.parametrize("name", ["hosts", "pg hba", "it's"])
@pytest.mark.parametrize("others", ["127.0.0.1 localhost\n", "no newline", "", "caf\udce9 \udcff\n"])
def test_a_block_is_put_in_and_then_needs_nothing(sh: Shell, tmp_path: Path, name: str, others: str) -> None:
    path = tmp_path / name
    path.write_bytes(os.fsencode(others))
    path.chmod(0o640)
    block = Block(str(path), BLOCK.lines)
    apply(sh, block.changes(seen(sh, block)))
    rest = others if others.endswith("\n") or not others else others + "\n"
    assert path.read_bytes() == os.fsencode(rest + OURS)
    assert path.stat().st_mode & 0o777 == 0o640
    assert block.changes(seen(sh, block)) == []


def test_a_file_that_somebody_edits_meanwhile_is_left_alone(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("a\n")
    block = Block(str(path), BLOCK.lines)
    (change,) = block.changes(seen(sh, block))
    path.write_text("a\nb\n")
    done = sh(f"set -eu\n{change.script}")
    assert (done.returncode, done.stdout.decode()) == (
        1,
        f"{path} has been changed in the meantime: run again\n",
    )
    assert path.read_text() == "a\nb\n"


@pytest.mark.parametrize(
    "others, edited",
    [
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\nmore\n"),
        ("a\n# BEGIN aerodrome\nold\nEND_OF_FILE\n# END aerodrome\nb\n", ""),
        ("# BEGIN aerodrome\n# END aerodrome\n", ""),
        ("", ""),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_block_becomes_what_it_was_and_lines_of_others_stay(
    sh: Shell, tmp_path: Path, others: str, edited: str, first: bool
) -> None:
    path = tmp_path / "it's"
    path.write_text(others)
    path.chmod(0o640)
    block = Block(str(path), BLOCK.lines, first)
    change = only_change(block, seen(sh, block).text)
    there_and_back(sh, change)
    assert (path.read_text(), path.stat().st_mode & 0o777) == (others, 0o640)
    if edited:
        apply(sh, [change])
        path.write_text(path.read_text().replace(others, edited))
        assert change.undo
        assert sh(f"set -eu\n{change.undo.script}").returncode == 0
        assert path.read_text() == edited


def test_a_file_that_a_block_made_goes_with_it(sh: Shell, tmp_path: Path) -> None:
    block = Block(str(tmp_path / "x"), BLOCK.lines)
    change = only_change(block, "")
    change = replace(change, script=change.script.replace("root:root", f"{ME}:{MY_GROUP}"))
    assert change.undo and change.undo.summary == f"remove the block from {tmp_path}/x"
    there_and_back(sh, change)
    assert not (tmp_path / "x").exists()


def test_a_block_of_another_user_is_put_back_by_that_user_and_read_again() -> None:
    old = "# BEGIN aerodrome\nold\n# END aerodrome\n"
    change = only_change(Block("/p/x", ("a",), True, "aerodrome", "postgres", "reload"), f"regular file|p|p|640\n{old}")
    assert change.undo
    assert change.undo.script == (
        "runuser -u postgres -- sh -eu 3<&- 9<&- <<'END_OF_FILE_'\n"
        + write_into(
            "/p/x",
            "{\nsed '/^# BEGIN aerodrome$/,$d' /p/x\ncat <<'END_OF_FILE'\n" + old + "END_OF_FILE\n"
            "[ -z \"$(sed -n '/^# BEGIN aerodrome$/p' /p/x)\" ] || sed '1,/^# END aerodrome$/d' /p/x\n}",
            "p",
            "p",
            0o640,
        )
        + "\nEND_OF_FILE_\nreload"
    )
    assert change.script.endswith("\nreload")
