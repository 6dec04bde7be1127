"""Files, blocks, lines and directories: the scripts, and what they do in a real shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Resource, Seen
from aerodrome.resources.files import Absent, Block, Directory, File, Found, Line, probe_path
from tests.unit.make import ME, MY_GROUP, Shell, only_change


def mine(path: Path, content: str, mode: int = 0o644) -> File:
    return File(str(path), content, ME, MY_GROUP, mode)


def seen(sh: Shell, resource: Resource) -> Seen:
    return Seen(sh(resource.probe()).stdout.decode("utf-8", "surrogateescape"))


def apply(sh: Shell, changes: list[Change]) -> None:
    for change in changes:
        done = sh(f"set -eu\n{change.script}", change.payload)
        assert done.returncode == 0, done


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


def test_the_probe_of_a_path_as_a_whole() -> None:
    assert probe_path("/etc/it's") == (
        """if [ -h '/etc/it'"'"'s' ] || [ -e '/etc/it'"'"'s' ]; then """
        """stat -c '%F|%U|%G|%a' '/etc/it'"'"'s'; [ ! -f '/etc/it'"'"'s' ] || cat '/etc/it'"'"'s'; fi"""
    )


# File


def test_a_file_that_is_there_already_needs_nothing() -> None:
    assert File("/etc/x", "a\n").changes(Seen("regular file|root|root|644\na\n")) == []


def test_a_file_that_is_missing_is_written_whole() -> None:
    change = only_change(File("/etc/my app/x", "a\n", "astro", "users", 0o640), "")
    assert change.summary == "write /etc/my app/x"
    assert change.diff == "--- /etc/my app/x\n+++ /etc/my app/x\n@@ -0,0 +1 @@\n+a"
    assert change.script == (
        "mkdir -p '/etc/my app'\n"
        "temporary=$(mktemp '/etc/my app/x'.XXXXXX)\n"
        "cat >\"$temporary\" <<'END_OF_FILE'\n"
        "a\n"
        "END_OF_FILE\n"
        'chown astro:users "$temporary"\n'
        'chmod 0640 "$temporary"\n'
        "mv -fT \"$temporary\" '/etc/my app/x'"
    )


def test_a_file_of_systemd_makes_it_read_its_files_again() -> None:
    assert only_change(File("/etc/x", "a\n", reload=True), "").script.endswith('" /etc/x\nsystemctl daemon-reload')


@pytest.mark.parametrize("head", ["astro|root|644", "root|astro|644", "root|root|600"])
def test_a_file_with_other_owner_or_mode_keeps_its_content(head: str) -> None:
    change = only_change(File("/etc/x", "a\n"), f"regular file|{head}\na\n")
    assert (change.summary, change.script) == (
        "own /etc/x root:root 0644",
        "chown root:root /etc/x\nchmod 0644 /etc/x",
    )
    assert change.attributes
    assert not only_change(File("/etc/x", "b\n"), f"regular file|{head}\na\n").attributes


def test_a_link_with_the_right_content_is_replaced_by_a_file() -> None:
    assert only_change(File("/etc/x", "a\n"), "symbolic link|root|root|644\na\n").summary == "write /etc/x"


def test_a_directory_in_the_place_of_a_file_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="^/etc/x is a directory, and a file is wanted there$"):
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
    with pytest.raises(AerodromeError, match="^theirs is there$"):
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
        "mkdir -p /etc\n[ -e '/etc/my x.by-hand' ] || cp -p '/etc/my x' '/etc/my x.by-hand'\ntemporary=$("
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
    assert aside.stat().st_mode & 0o777 == 0o640


# Absent


def test_a_file_that_is_not_wanted_is_removed_as_a_whole() -> None:
    absent = Absent("/etc/my x")
    assert (absent.key, absent.probe()) == ("file /etc/my x", "[ ! -e '/etc/my x' ] || echo there")
    assert absent.changes(Seen("there\n")) == [Change("remove /etc/my x", "rm -f '/etc/my x'")]
    assert absent.changes(Seen("")) == []


def test_a_file_is_removed_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "it's"
    path.write_text("x")
    apply(sh, Absent(str(path)).changes(seen(sh, Absent(str(path)))))
    assert not path.exists()
    assert Absent(str(path)).changes(seen(sh, Absent(str(path)))) == []


# Block


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
        " || { echo '/etc/hosts was changed by somebody else meanwhile: run again'; exit 1; }\n"
        "temporary=$(mktemp /etc/hosts.XXXXXX)\n"
        "cat >\"$temporary\" <<'END_OF_FILE'\n"
        "127.0.0.1 localhost\n"
        "# BEGIN aerodrome\n"
        "10.0.0.1 db1\n"
        "10.0.0.2 s1\n"
        "# END aerodrome\n"
        "END_OF_FILE\n"
        'chown root:adm "$temporary"\n'
        'chmod 0664 "$temporary"\n'
        'mv -fT "$temporary" /etc/hosts'
    )


def test_a_block_makes_a_file_that_is_missing() -> None:
    assert only_change(BLOCK, "").script == (
        "temporary=$(mktemp /etc/hosts.XXXXXX)\n"
        f"cat >\"$temporary\" <<'END_OF_FILE'\n{OURS}END_OF_FILE\n"
        'chown root:root "$temporary"\n'
        'chmod 0644 "$temporary"\n'
        'mv -fT "$temporary" /etc/hosts'
    )


def test_a_block_does_not_follow_a_link() -> None:
    with pytest.raises(AerodromeError, match="is a symbolic link, and a file is wanted there"):
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
        f"{path} was changed by somebody else meanwhile: run again\n",
    )
    assert path.read_text() == "a\nb\n"


# Line


LINE = Line("/home/astro/.bashrc", "export AIRFLOW_HOME=/srv", "export AIRFLOW_HOME=", "astro")


def test_a_home_that_is_about_to_be_made_keeps_what_it_comes_with() -> None:
    # useradd -m copies /etc/skel: what is there is known only then.
    (change,) = LINE.changes(Seen("", frozenset({"user astro"})))
    assert (change.summary, change.script) == ("add “export AIRFLOW_HOME=/srv” to /home/astro/.bashrc", "")
    there = "regular file|astro|astro|644\nexport AIRFLOW_HOME=/srv\n"
    assert LINE.changes(Seen(there, frozenset({"user astro"}))) == []


def test_a_line_that_is_there_needs_nothing() -> None:
    assert LINE.changes(Seen("regular file|astro|astro|644\na\nexport AIRFLOW_HOME=/srv\nb\n")) == []


@pytest.mark.parametrize(
    "before, after",
    [
        ("", "export AIRFLOW_HOME=/srv\n"),
        ("regular file|astro|astro|600\na\n", "a\nexport AIRFLOW_HOME=/srv\n"),
        ("regular file|astro|astro|600\na", "a\nexport AIRFLOW_HOME=/srv\n"),
        ("regular file|astro|astro|600\nexport AIRFLOW_HOME=/old\na\n", "a\nexport AIRFLOW_HOME=/srv\n"),
        (
            "regular file|astro|astro|600\nexport AIRFLOW_HOME=/srv\nexport AIRFLOW_HOME=/old\n",
            "export AIRFLOW_HOME=/srv\n",
        ),
    ],
)
def test_a_line_takes_the_place_of_others_like_it(before: str, after: str) -> None:
    change = only_change(LINE, before)
    assert change.summary == "add “export AIRFLOW_HOME=/srv” to /home/astro/.bashrc"
    assert change.script == (
        "temporary=$(mktemp /home/astro/.bashrc.XXXXXX)\n"
        f"cat >\"$temporary\" <<'END_OF_FILE'\n{after}END_OF_FILE\n"
        'chown astro:astro "$temporary"\n'
        f'chmod {"0600" if before else "0644"} "$temporary"\n'
        'mv -fT "$temporary" /home/astro/.bashrc'
    )


# Directory


def test_a_directory_as_it_should_be_needs_nothing() -> None:
    assert Directory("/srv/a", "astro", "astro").changes(Seen("directory|astro|astro|755\n")) == []


def test_a_directory_is_made() -> None:
    change = only_change(Directory("/srv/a b", "astro", "users", 0o750), "")
    assert (change.summary, change.script) == (
        "make directory /srv/a b",
        "install -d -o astro -g users -m 0750 '/srv/a b'",
    )


def test_a_directory_of_somebody_else_is_taken_over() -> None:
    change = only_change(Directory("/srv/a", "astro", "astro"), "directory|root|root|755\n")
    assert (change.summary, change.script) == (
        "own /srv/a astro:astro 0755",
        "chown astro:astro /srv/a\nchmod 0755 /srv/a",
    )


def test_a_file_in_the_place_of_a_directory_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="/srv/a is a regular file, and a directory is wanted there"):
        Directory("/srv/a", "astro", "astro").changes(Seen("regular file|root|root|644\n"))


def test_a_directory_is_made_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "a" / "b c"), ME, MY_GROUP, 0o750)
    apply(sh, directory.changes(seen(sh, directory)))
    assert (tmp_path / "a" / "b c").stat().st_mode & 0o777 == 0o750
    assert directory.changes(seen(sh, directory)) == []
