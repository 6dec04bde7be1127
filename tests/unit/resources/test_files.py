"""Files: their changes, and what these do in a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import (
    Absent,
    File,
    probe_path,
    set_attributes,
    write_whole,
)
from tests.unit.make import ME, MY_GROUP, Shell, apply, only_change, plain, seen
from tests.unit.resources.paths import mine


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
