"""Files, blocks, lines and directories: the scripts, and what they do in a real shell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.core.undo import Undo
from aerodrome.errors import AerodromeError
from aerodrome.resources.block import Block
from aerodrome.resources.directory import Directory
from aerodrome.resources.files import (
    LIMIT,
    Absent,
    File,
    Found,
    digest,
    probe_path,
    refuse_foreign,
    set_attributes,
    write_into,
    write_whole,
)
from tests.unit.make import ME, MY_GROUP, Shell, apply, only_change, plain, seen, there_and_back


def mine(path: Path, content: str, mode: int = 0o644) -> File:
    return File(str(path), content, ME, MY_GROUP, mode)


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


# File


def test_a_file_that_is_there_already_needs_nothing() -> None:
    assert File("/etc/x", "a\n").changes(Seen("regular file|root|root|644\na\n")) == []


def test_a_file_that_is_missing_is_written_whole() -> None:
    change = only_change(File("/etc/my app/x", "a\n", "astro", "users", 0o640), "")
    assert change.summary == "write /etc/my app/x"
    assert change.diff == "--- /etc/my app/x\n+++ /etc/my app/x\n@@ -0,0 +1 @@\n+a"
    assert change.script == (
        "mkdir -p '/etc/my app'\n"
        "(\n"
        "[ -O '/etc/my app' ] || "
        "{ echo '/etc/my app does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "temporary=$(mktemp '/etc/my app/x'.XXXXXX)\n"
        "trap 'rm -f \"$temporary\"' EXIT\n"
        "cat >\"$temporary\" <<'END_OF_FILE'\n"
        "a\n"
        "END_OF_FILE\n"
        'chown astro:users "$temporary"\n'
        'chmod 0640 "$temporary"\n'
        "mv -fT \"$temporary\" '/etc/my app/x'\n"
        ")"
    )


def test_a_file_of_systemd_makes_it_read_its_files_again() -> None:
    assert only_change(File("/etc/x", "a\n", reload=True), "").script.endswith('" /etc/x\n)\nsystemctl daemon-reload')


@pytest.mark.parametrize("head", ["root|astro|644", "root|root|600"])
def test_a_file_with_other_group_or_mode_keeps_its_content(head: str) -> None:
    change = only_change(File("/etc/x", "a\n"), f"regular file|{head}\na\n")
    assert change.summary == "own /etc/x root:root 0644"
    assert change.script.endswith("; exit 1; }\nchown -h root:root /etc/x\nchmod 0644 /etc/x")
    assert change.attributes
    assert not only_change(File("/etc/x", "b\n"), f"regular file|{head}\na\n").attributes


def test_a_file_of_somebody_else_becomes_another_one_for_they_may_have_it_open() -> None:
    change = only_change(File("/etc/x", "a\n"), "regular file|astro|root|644\na\n")
    assert (change.summary, change.attributes) == ("own /etc/x root:root 0644", True)
    assert change.script == write_whole("/etc/x", "a\n", "root", "root", 0o644)


def test_a_link_with_the_right_content_is_replaced_by_a_file() -> None:
    assert only_change(File("/etc/x", "a\n"), "symbolic link|root|root|644\na\n").summary == "write /etc/x"


def test_a_directory_in_the_place_of_a_file_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="^/etc/x is a directory, but should be a file$"):
        File("/etc/x", "a\n").changes(Seen("directory|root|root|755\n"))


def refusing(path: Path | str, content: str) -> File:
    def check(found: str) -> None:
        if "theirs" in found:
            raise AerodromeError("theirs is there", "look")

    return File(str(path), content, ME, MY_GROUP, check=check)


def test_content_that_must_not_be_replaced_is_refused() -> None:
    with pytest.raises(AerodromeError, match="^theirs is there$"):
        refusing("/etc/x", "ours\n").changes(Seen(f"regular file|{ME}|{MY_GROUP}|644\ntheirs\n"))


def test_content_behind_a_link_must_not_be_replaced_either(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("theirs\n")
    (tmp_path / "x").symlink_to("target")
    file = refusing(tmp_path / "x", "ours\n")
    with pytest.raises(AerodromeError, match="x is a symbolic link, and what it points to must not be lost$"):
        file.changes(seen(sh, file))


@pytest.mark.parametrize("found", ["", f"regular file|{ME}|{MY_GROUP}|644\nothers\n"])
def test_content_that_may_be_replaced_is(found: str) -> None:
    assert only_change(refusing("/etc/x", "ours\n"), found).summary == "write /etc/x"


@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_content_that_stays_is_not_looked_into(mode: int) -> None:
    assert [
        c.attributes
        for c in refusing("/x", "theirs\n").changes(Seen(f"regular file|{ME}|{MY_GROUP}|{mode:o}\ntheirs\n"))
    ] == [True] * (mode == 0o600)


def test_a_masked_diff_tells_values_that_differ_but_shows_none() -> None:
    def mask(text: str) -> str:
        return "\n".join(line.partition("=")[0] + "=***" if line else "" for line in text.split("\n"))

    change = only_change(File("/x", "A=new\nB=same\n", mask=mask), "regular file|root|root|644\nA=old\nB=same\n")
    assert change.diff.splitlines()[3:] == ["-A=*** (differs)", "+A=***", " B=***"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "plain\n",
        "no newline at the end",
        "END_OF_FILE\n$HOME `id` $(id) \\\n'\"\n",
        "caf\udce9\n",
        "\n\n@nonce 1\n\n",
    ],
)
@pytest.mark.parametrize("before", [None, "something else\n"])
def test_a_file_arrives_as_it_is_and_then_needs_nothing(
    sh: Shell,
    tmp_path: Path,
    content: str,
    before: str | None,
) -> None:
    path = tmp_path / "a folder" / "it's"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    file = mine(path, content, 0o600)
    apply(sh, file.changes(seen(sh, file)))
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")
    assert path.stat().st_mode & 0o7777 == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert file.changes(seen(sh, file)) == []


def test_a_folder_that_appears_in_the_place_of_a_file_is_not_filled(sh: Shell, tmp_path: Path) -> None:
    file = mine(tmp_path / "x", "a\n")
    (change,) = file.changes(seen(sh, file))
    (tmp_path / "x").mkdir()
    assert sh(f"set -eu\n{change.script}").returncode != 0
    assert list((tmp_path / "x").iterdir()) == []


def test_a_file_that_cannot_be_owned_as_wanted_never_shows_half_of_itself(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    done = sh("set -eu\n" + only_change(File(str(path), "new\n", "nobody-of-this-name"), "").script)
    assert done.returncode != 0
    assert path.read_text() == "old"


def test_mode_alone_is_put_right(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("a\n")
    path.chmod(0o666)
    apply(sh, mine(path, "a\n").changes(seen(sh, mine(path, "a\n"))))
    assert path.stat().st_mode & 0o777 == 0o644


# What somebody wrote by hand


def kept(path: Path | str, content: str) -> File:
    return File(str(path), content, ME, MY_GROUP, keep=True)


def test_a_file_written_by_hand_is_put_aside_as_a_whole() -> None:
    script = only_change(kept("/etc/my x", "# Written by Aerodrome\n"), "regular file|root|root|600\ntheirs\n").script
    assert script.startswith(
        "mkdir -p /etc\n[ -e '/etc/my x.by-hand' ] || [ -h '/etc/my x.by-hand' ] || "
        "ln -P '/etc/my x' '/etc/my x.by-hand'\n(\n"
    )
    # For root alone, once it is another file than the one in use.
    assert script.endswith(
        f"\n)\n[ -h '/etc/my x.by-hand' ] || {{ {set_attributes('/etc/my x.by-hand', ME, MY_GROUP, 0o600)}\n}}"
    )


@pytest.mark.parametrize("found", ["", "regular file|root|root|600\n# Written by Aerodrome: x\nold\n"])
def test_nothing_is_put_aside_where_nobody_else_wrote_anything(found: str) -> None:
    assert ".by-hand" not in only_change(kept("/etc/x", "# Written by Aerodrome\n"), found).script


def test_a_file_that_nobody_is_to_keep_is_not_put_aside() -> None:
    assert ".by-hand" not in only_change(File("/etc/x", "ours\n"), "regular file|root|root|600\ntheirs\n").script


def test_only_the_first_of_two_is_put_aside(sh: Shell, tmp_path: Path) -> None:
    path, aside = tmp_path / "it's", tmp_path / "it's.by-hand"
    path.write_text("first\n")
    path.chmod(0o640)
    for number, content in enumerate(("# Written by Aerodrome\n1\n", "# Written by Aerodrome\n2\n")):
        file = kept(path, content)
        apply(sh, file.changes(seen(sh, file)))
        assert (path.read_text(), aside.read_text()) == (content, "first\n")
        if number == 0:
            path.write_text("somebody again\n")
    assert aside.stat().st_mode & 0o777 == 0o600


# Absent


def test_a_file_that_is_not_wanted_is_removed_as_a_whole() -> None:
    absent = Absent("/etc/my x")
    assert (absent.key, absent.probe()) == ("file /etc/my x", probe_path("/etc/my x"))
    there = Seen("regular file|root|root|644\nx\n")
    assert plain(absent.changes(there)) == [Change("remove /etc/my x", "rm -f '/etc/my x'")]
    assert absent.changes(Seen("")) == []


def test_a_file_is_removed_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "it's"
    path.write_text("x")
    apply(sh, Absent(str(path)).changes(seen(sh, Absent(str(path)))))
    assert not path.exists()
    assert Absent(str(path)).changes(seen(sh, Absent(str(path)))) == []


# Ways back


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
