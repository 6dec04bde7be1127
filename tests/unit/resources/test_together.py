"""All files of a host read together: the script in real shells, and the parsing of its output."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.errors import AerodromeError
from aerodrome.resources.files import LIMIT, File
from aerodrome.resources.together import Together
from tests.unit.make import ME, MY_GROUP, Shell


def files(*given: File) -> list[File]:
    together = Together(tuple((file.path, file.digest) for file in given))
    return [replace(file, beside=together) for file in given]


def mine(path: Path, content: str) -> File:
    return File(str(path), content, ME, MY_GROUP)


def changes(sh: Shell, file: File) -> list[Change]:
    done = sh(file.probe())
    return file.changes(Seen(done.stdout.decode("utf-8", "surrogateescape")))


def test_the_probe_as_a_whole() -> None:
    together = Together((("/etc/a", "d1"), ("/etc/my b", "d2")))
    assert together.probe == (
        "stat -c '%n|%F|%U|%G|%a' /etc/a '/etc/my b' 2>/dev/null; echo\n"
        "set --\n"
        'for file in /etc/a \'/etc/my b\'; do [ -h "$file" ] || [ ! -f "$file" ] ||\n'
        '[ ! -O "$file" ] || [ ! -O "${file%/*}" ] || set -- "$@" "$file"; done\n'
        "n='\n'; sums=; [ $# = 0 ] || sums=$(sha256sum \"$@\")$n\n"
        "for sum in 'd1  /etc/a' 'd2  /etc/my b'; do file=${sum#*  }; case $n$sums in *\"$n$sum$n\"*) ;; *)\n"
        '[ -h "$file" ] || [ ! -f "$file" ] || { echo "content $file"; dd if="$file" '
        f"iflag=nofollow,nonblock,fullblock,count_bytes bs=64K count={LIMIT} status=none | base64; echo; }} ;; "
        "esac; done"
    )


def test_each_file_is_as_if_it_were_asked_for_alone(sh: Shell, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("same", "it's another", "gone", "link", "folder", "empty", "odd", "pipe")]
    same, another, _, link, folder, empty, odd, pipe = paths
    given = files(*(mine(path, "wanted\nlines\n") for path in paths))
    same.write_text("wanted\nlines\n")
    another.write_text(f"content {same}\nQUJD\n\nlines\n")
    link.symlink_to(same)
    folder.mkdir()
    empty.touch()
    odd.write_bytes(b"\0\xff no newline")
    os.mkfifo(pipe)
    for file in given:
        if file.path == str(folder):
            with pytest.raises(AerodromeError):
                changes(sh, file)
            continue
        assert changes(sh, file) == changes(sh, replace(file, beside=None)), file.path
    assert changes(sh, given[0]) == []
    assert f"-content {same}" in changes(sh, given[1])[0].diff
    same.chmod(0o600)
    (change,) = changes(sh, given[0])
    assert change.attributes


def test_what_is_as_it_should_be_costs_two_processes_and_is_not_sent(sh: Shell, tmp_path: Path) -> None:
    given = files(*(mine(tmp_path / str(number), f"secret {number}\n") for number in range(9)))
    for file in given:
        Path(file.path).write_text(file.content)
    log = tmp_path / "log"
    programs = {
        name: f'echo {name} >>{log}; exec /usr/bin/{name} "$@"' for name in ("stat", "sha256sum", "dd", "base64")
    }
    answer = sh(given[0].probe(), programs=programs).stdout.decode()
    assert log.read_text().split() == ["stat", "sha256sum"]
    assert "secret" not in answer
    assert all(file.changes(Seen(answer)) == [] for file in given)


def test_a_digest_alone_is_not_enough(sh: Shell, tmp_path: Path) -> None:
    # One path is the prefix of another, and has the other's wanted content.
    short, long = tmp_path / "default", tmp_path / "default-worker"
    long.write_text("one\n")
    short.write_text("two\n")
    given = files(mine(short, "one\n"), mine(long, "one\n"))
    assert [len(changes(sh, file)) for file in given] == [1, 0]


def test_an_answer_of_a_host_that_says_something_else() -> None:
    (file,) = files(File("/etc/a", "wanted\n"))
    assert file.digest == sha256(b"wanted\n").hexdigest()
    assert [change.summary for change in file.changes(Seen(""))] == ["write /etc/a"]
    for text in ("/etc/a|nonsense\n\n", "/etc/a|regular file|root|root|644\n\ncontent /etc/a\n!\n\n"):
        with pytest.raises((AerodromeError, ValueError)):
            file.changes(Seen(text))
    large = "QUFB" * (LIMIT // 3 + 1)
    with pytest.raises(AerodromeError, match="is larger than 4 MiB"):
        file.changes(Seen(f"/etc/a|regular file|root|root|644\n\ncontent /etc/a\n{large}\n\n"))
