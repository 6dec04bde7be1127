"""What a probe sees of a path, and writes that fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.block import Block
from aerodrome.resources.directory import Directory
from aerodrome.resources.files import (
    LIMIT,
    File,
    Found,
    probe_path,
    write_into,
    write_whole,
)
from tests.unit.make import ME, MY_GROUP, Shell

# Found: what `stat` of Debian 12 printed.


@pytest.mark.parametrize(
    "text, found",
    [
        ("", Found()),
        ("directory|root|root|755\n", Found("directory", "root", "root", 0o755)),
        ("symbolic link|root|root|777\n", Found("symbolic link", "root", "root", 0o777)),
        ("regular empty file|root|root|644\n", Found("regular file", "root", "root", 0o644)),
        ("character special file|root|root|666\n", Found("character special file", "root", "root", 0o666)),
        ("regular file|astro|astro|4600\na|b\n\nc", Found("regular file", "astro", "astro", 0o4600, "a|b\n\nc")),
    ],
)
def test_what_a_probe_saw(text: str, found: Found) -> None:
    assert Found.parse(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        "[]\n",
        "stat: cannot statx\n",
        "regular file|root|root|9\n",
        "regular file|root|root|-1\n",
        "regular file|root|root|0x1f\n",
        "regular file|root|root|\u0661\n",
        "regular file|root|root|644644\n",
        "regular file|root|644\na|b\n",
        "|root|root|644\n",
        "\x1b[2J|root|root|644\n",
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_an_answer_that_no_probe_gives_is_an_error_that_names_the_path(text: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        Found.parse(text, "/etc/x")
    assert caught.value.message.startswith("/etc/x: the host's answer is not the output of stat: ")
    assert len(caught.value.message) < 200


def test_a_file_that_is_too_large_is_an_error() -> None:
    head = "regular file|root|root|644\n"
    assert len(Found.parse(head + "x" * (LIMIT - 1)).content) == LIMIT - 1
    with pytest.raises(AerodromeError, match="^/etc/x is larger than 4 MiB$"):
        File("/etc/x", "a\n").changes(Seen(head + "x" * LIMIT))


def test_the_probe_of_a_path_as_a_whole() -> None:
    assert probe_path("/etc/my x") == (
        "if [ -h '/etc/my x' ] || [ -e '/etc/my x' ]; then stat -c '%F|%U|%G|%a' '/etc/my x'; "
        "[ -h '/etc/my x' ] || [ ! -f '/etc/my x' ] || "
        "dd if='/etc/my x' iflag=nofollow,nonblock,fullblock,count_bytes bs=64K count=4194304 status=none; fi"
    )


def test_a_probe_follows_no_link(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (tmp_path / "x").symlink_to("secret")
    assert Found.parse(sh(probe_path(str(tmp_path / "x"))).stdout.decode()).kind == "symbolic link"
    assert b"secret" not in sh(probe_path(str(tmp_path / "x"))).stdout


def test_a_probe_reads_no_link_that_takes_the_place_of_the_file(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    path = tmp_path / "x"
    path.write_text("")
    swap = f'ln -sf {tmp_path}/secret {path}; exec /bin/dd "$@"'  # between the question and the reading
    done = sh(probe_path(str(path)), programs={"dd": swap})
    assert path.is_symlink() and b"secret" not in done.stdout
    assert b"symbolic links" in done.stderr


def test_a_probe_of_a_sparse_file_ends(sh: Shell, tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as opened:
        opened.truncate(1 << 40)
    assert len(sh(probe_path(str(tmp_path / "x"))).stdout) < LIMIT + 100


def test_a_probe_does_not_wait_for_a_pipe(sh: Shell, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    assert sh(probe_path(str(tmp_path / "x"))).stdout.startswith(b"fifo|")


# What is written


@pytest.mark.parametrize("write", ["whole", "into"])
def test_a_write_that_fails_leaves_nothing_behind(sh: Shell, tmp_path: Path, write: str) -> None:
    path = str(tmp_path / "x")
    if write == "whole":
        script, programs = write_whole(path, "a\n", ME, MY_GROUP, 0o644), {"cat": "exit 28"}
    else:
        script, programs = write_into(path, "false", ME, MY_GROUP, 0o644), {}
    done = sh(f"set -eu\n{script}\necho went on", programs=programs)
    assert (done.returncode != 0, done.stdout) == (True, b"")
    assert [each.name for each in tmp_path.iterdir()] == ["programs"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize(
    "change",
    [
        lambda path: File(path, "a\n").changes(Seen(""))[0],
        lambda path: File(path, "a\n").changes(Seen("regular file|root|root|600\na\n"))[0],
        lambda path: Block(path, ("a",)).changes(Seen(""))[0],
        lambda path: Directory(path, "root", "root").changes(Seen(""))[0],
        lambda path: Directory(path, "root", "root").changes(Seen("directory|root|root|700\n"))[0],
    ],
)
def test_root_writes_nothing_into_a_directory_of_somebody_else(
    sh: Shell, tmp_path: Path, change: Callable[[str], Change]
) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    done = sh(f"set -eu\n{change(str(folder / 'x')).script}\necho went on")
    assert done.returncode != 0
    assert done.stdout.decode() == (
        f"{folder} does not belong to root: its owner could replace files that root writes\n"
    )
    assert list(folder.iterdir()) == []
