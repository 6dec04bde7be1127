"""Directories: the scripts, and what they do in a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Seen
from aerodrome.core.undo import Undo
from aerodrome.errors import AerodromeError
from aerodrome.resources.directory import Directory
from tests.unit.make import ME, MY_GROUP, Shell, apply, only_change, seen, there_and_back


def test_a_directory_as_it_should_be_needs_nothing() -> None:
    assert Directory("/srv/a", "astro", "astro").changes(Seen("directory|astro|astro|755\n")) == []


def test_a_directory_is_made() -> None:
    change = only_change(Directory("/srv/a b", "astro", "users", 0o750), "")
    assert (change.summary, change.script) == (
        "make directory /srv/a b",
        "mkdir -p /srv\n[ -O /srv ] || "
        "{ echo '/srv does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "install -d -o astro -g users -m 0750 '/srv/a b'",
    )


def test_a_directory_in_one_of_its_owners_is_made_by_its_owner() -> None:
    directory = Directory("/var/lib/redis/my air", "redis", "redis", 0o750, owner_makes=True)
    assert [only_change(directory, seen).script for seen in ("", "directory|redis|redis|755\n")] == [
        "runuser -u redis -- mkdir -m 0750 '/var/lib/redis/my air' 3<&- 9<&-",
        "runuser -u redis -- chmod 0750 '/var/lib/redis/my air' 3<&- 9<&-",
    ]
    with pytest.raises(AerodromeError, match="^/var/lib/redis/my air belongs to root:root$"):
        directory.changes(Seen("directory|root|root|750\n"))


def test_a_directory_of_somebody_else_is_taken_over() -> None:
    change = only_change(Directory("/srv/a", "astro", "astro"), "directory|root|root|755\n")
    assert (change.summary, change.script) == (
        "own /srv/a astro:astro 0755",
        "[ -O /srv ] || "
        "{ echo '/srv does not belong to root: its owner could replace files that root writes'; exit 1; }\n"
        "chown -h astro:astro /srv/a\nchmod 0755 /srv/a",
    )


def test_a_file_in_the_place_of_a_directory_is_left_alone() -> None:
    with pytest.raises(AerodromeError, match="/srv/a is a regular file, but should be a directory"):
        Directory("/srv/a", "astro", "astro").changes(Seen("regular file|root|root|644\n"))


def test_a_directory_is_made_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    directory = Directory(str(tmp_path / "a" / "b c"), ME, MY_GROUP, 0o750)
    apply(sh, directory.changes(seen(sh, directory)))
    assert (tmp_path / "a" / "b c").stat().st_mode & 0o777 == 0o750
    assert directory.changes(seen(sh, directory)) == []


def test_a_directory_that_was_made_goes_while_it_is_empty(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "b c"
    change = only_change(Directory(str(path), ME, MY_GROUP, 0o750), "")
    undo = there_and_back(sh, change)
    assert not path.exists()
    apply(sh, [change])
    (path / "x").touch()
    assert sh(undo.state).stdout.decode().strip() == undo.before  # nothing to take back


def test_a_directory_gets_its_mode_back(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "b c"
    path.mkdir(mode=0o700)
    directory = Directory(str(path), ME, MY_GROUP, 0o750)
    there_and_back(sh, only_change(directory, seen(sh, directory).text))
    assert path.stat().st_mode & 0o777 == 0o700


def test_what_lies_in_a_directory_of_its_owner_is_taken_back_by_its_owner() -> None:
    directory = Directory("/var/lib/redis/a", "redis", "redis", 0o750, owner_makes=True)
    made, owned = (only_change(directory, seen).undo for seen in ("", "directory|redis|redis|755\n"))
    assert made == Undo(
        "remove directory /var/lib/redis/a",
        "runuser -u redis -- rmdir /var/lib/redis/a 3<&- 9<&-",
        '[ -n "$(runuser -u redis -- find /var/lib/redis/a -maxdepth 0 -type d -empty 3<&- 9<&-)" ]'
        " && echo empty || echo gone or used",
        "gone or used",
        "empty",
    )
    assert owned and owned.script == "runuser -u redis -- chmod 0755 /var/lib/redis/a 3<&- 9<&-"
