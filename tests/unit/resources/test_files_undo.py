"""The way back of a file."""

from __future__ import annotations

import os
import re
from dataclasses import replace
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
from tests.unit.make import Shell, apply, only_change, seen, there_and_back
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


SECRETS = "regular file|root|root|600\nZONE=west\nPASSWORD=old\nTOKEN=x\nSIZE=1\n"


def hide(text: str) -> str:
    return re.sub(r"^(PASSWORD|TOKEN)=.*$", r"\1=***", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    "content",
    [
        "ZONE=west\nPASSWORD=new\nTOKEN=x\nSIZE=1\n",  # changed
        "ZONE=west\nTOKEN=x\nSIZE=1\n",  # removed
        "ZONE=west\nTOKEN=x\nSIZE=1\nPASSWORD=old",  # taken from there, it would lack the end of its line
        "",
    ],
)
def test_a_change_of_a_secret_has_no_way_back(content: str) -> None:
    file = File("/etc/x", content, mode=0o600)
    assert only_change(replace(file, mask=hide), SECRETS).undo is None
    assert only_change(replace(file, secret=hide), SECRETS).undo is None


def test_what_is_hidden_but_no_secret_has_a_way_back() -> None:
    file = File(
        "/etc/x", "PASSWORD=old\nTOKEN=x\n", mode=0o600, mask=lambda text: "***\n" * text.count("\n"), secret=hide
    )
    assert only_change(file, SECRETS).undo


def test_a_file_that_had_secrets_and_is_removed_has_no_way_back() -> None:
    assert only_change(Absent("/etc/x", secret=hide), SECRETS).undo is None
    plain = only_change(Absent("/etc/x", secret=hide), "regular file|root|root|600\nZONE=west\n").undo
    assert plain and plain.payload == b"ZONE=west\n"


def test_the_way_back_of_plain_values_keeps_no_secret_of_the_file_as_a_whole() -> None:
    content = "TOKEN=x\nPASSWORD=old\nZONE=east\n"
    undo = only_change(File("/etc/x", content, mode=0o600, mask=hide), SECRETS).undo
    assert undo
    assert undo.payload == b"ZONE=west\nSIZE=1\n"
    put = "{ head -c 10 <&3; sed -n '2p' /etc/x; sed -n '1p' /etc/x; head -c 7 <&3; }"
    was = digest("ZONE=west\nPASSWORD=old\nTOKEN=x\nSIZE=1\n")
    assert undo.script == write_into("/etc/x", put, "root", "root", 0o600, was)
    assert f'[ "$(sha256sum <"$temporary" | cut -c -64)" = {was} ]' in undo.script


FORMER = "ZONE=west\nPASSWORD='a\nb'\nTOKEN=caf\udce9\nSIZE=1"


def hide_lines(text: str) -> str:
    return re.sub(r"PASSWORD='a\nb'|TOKEN=[^\n]*", lambda found: "***" + "\n***" * found[0].count("\n"), text)


@pytest.mark.parametrize("content", ["PASSWORD='a\nb'\nTOKEN=caf\udce9\n", f"NEW=1\n{FORMER}\nMORE=2\n"])
def test_plain_values_come_back_around_secrets_that_stay(sh: Shell, tmp_path: Path, content: str) -> None:
    path = tmp_path / "it's"
    path.write_bytes(os.fsencode(FORMER))
    path.chmod(0o600)
    file = replace(mine(path, content, 0o600), secret=hide_lines)
    undo = there_and_back(sh, only_change(file, seen(sh, file).text))
    assert b"PASSWORD" not in undo.payload and b"TOKEN" not in undo.payload
    assert path.read_bytes() == os.fsencode(FORMER)


def test_a_mode_comes_back_around_secrets(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("PASSWORD=old\nZONE=west\n")
    path.chmod(0o644)
    file = replace(mine(path, path.read_text(), 0o600), mask=hide)
    assert there_and_back(sh, only_change(file, seen(sh, file).text)).payload == b"ZONE=west\n"


def test_secrets_that_are_elsewhere_by_now_are_not_mixed_up(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("PASSWORD=old\nZONE=west\n")
    file = replace(mine(path, "PASSWORD=old\nZONE=east\n"), mask=hide)
    change = only_change(file, seen(sh, file).text)
    assert change.undo
    apply(sh, [change])
    path.write_text("MORE=1\nPASSWORD=old\nZONE=east\n")
    done = sh(f"set -eu\n{change.undo.script}", change.undo.payload)  # as with --force
    assert done.returncode != 0
    assert b"its secrets are not as that run left them" in done.stdout
    assert path.read_text() == "MORE=1\nPASSWORD=old\nZONE=east\n"
    assert list(tmp_path.glob("x*")) == [path]
