"""The way back of a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aerodrome.core.undo import Undo
from aerodrome.resources.files import (
    Absent,
    File,
    digest,
    refuse_foreign,
    write_into,
)
from tests.unit.make import Shell, only_change, seen, there_and_back
from tests.unit.resources.paths import mine


def test_the_way_back_of_a_file_as_a_whole() -> None:
    change = only_change(File("/etc/x", "new\n", reload=True), "regular file|root|adm|640\nold\n")
    state = (
        "if [ -h /etc/x ]; then echo link; elif [ -f /etc/x ]; then\n"
        "echo \"file $(stat -c '%U|%G|%a' /etc/x) $(dd if=/etc/x iflag=nofollow,nonblock,fullblock,count_bytes bs=64K "
        'count=4194304 status=none | sha256sum | cut -c -64)"\n'
        "elif [ -e /etc/x ]; then echo other; else echo nothing; fi"
    )
    script = write_into("/etc/x", "head -c 4 <&3", "root", "adm", 0o640) + "\nsystemctl daemon-reload"
    assert change.undo == Undo(
        "put back /etc/x",
        script,
        state,
        f"file root|adm|640 {digest('old' + chr(10))}",
        f"file root|root|644 {digest('new' + chr(10))}",
        b"old\n",
    )
    new = only_change(File("/etc/x", "new\n"), "")
    assert new.undo == Undo(
        "remove /etc/x",
        f"{refuse_foreign('/etc/x')}\nrm -f /etc/x",
        state,
        "nothing",
        f"file root|root|644 {digest('new' + chr(10))}",
    )


@pytest.mark.parametrize("found", ["symbolic link|root|root|777\n", "regular file|UNKNOWN|root|644\nold\n"])
def test_what_was_not_seen_whole_has_no_way_back(found: str) -> None:
    assert only_change(File("/etc/x", "new\n"), found).undo is None


@pytest.mark.parametrize("content", ["old\n", "", "no newline", "caf\udce9\n\n", "END_OF_FILE\n", "$(x) `y`\n"])
def test_a_file_gets_its_content_and_mode_back(sh: Shell, tmp_path: Path, content: str) -> None:
    path = tmp_path / "it's"
    path.write_bytes(os.fsencode(content))
    path.chmod(0o600)
    there_and_back(sh, only_change(mine(path, "new\n"), seen(sh, mine(path, "new\n")).text))
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (os.fsencode(content), 0o600)


def test_a_file_that_was_not_there_goes_and_one_that_was_removed_comes_back(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    there_and_back(sh, only_change(mine(path, "new\n"), ""))
    assert not path.exists()
    path.write_text("old\n")
    there_and_back(sh, only_change(Absent(str(path)), seen(sh, Absent(str(path))).text))
    assert path.read_text() == "old\n"


def test_a_mode_comes_back(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("same\n")
    path.chmod(0o600)
    change = only_change(mine(path, "same\n"), seen(sh, mine(path, "same\n")).text)
    assert change.attributes
    there_and_back(sh, change)
    assert path.stat().st_mode & 0o777 == 0o600
